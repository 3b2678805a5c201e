// SPDX-License-Identifier: Apache-2.0
//
// Requests: splits the input into messages and encodes them one by one as they arrive. Use it on
// the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "input.h"
#include "splitter.h"
#include "ttrpc/status.h"
#include "ttrpc/task.h"

namespace ttrpc::tool {

class Requests {
 public:
  // Encodes a message of the input.
  using Encode = std::function<Result<std::string>(std::string message)>;

  // A null `input` contains no messages.
  Requests(std::unique_ptr<Input> input, std::unique_ptr<MessageSplitter> splitter, Encode encode)
      : input_(std::move(input)), splitter_(std::move(splitter)), encode_(std::move(encode)) {}

  // Waits for the next message. Returns none at the end. Returns INVALID_ARGUMENT `message N: WHAT`
  // for a message that cannot be used, or another status if the input cannot be read; do not call
  // this again then. The object must outlive the task.
  Task<Result<std::optional<std::string>>> Next();

  // Returns the only message, for a method that takes one, or an empty message if there is none.
  // Returns INVALID_ARGUMENT if there are more.
  Task<Result<std::string>> Only();

 private:
  std::unique_ptr<Input> input_;
  std::unique_ptr<MessageSplitter> splitter_;
  Encode encode_;
  size_t count_ = 0;
};

}  // namespace ttrpc::tool
