// SPDX-License-Identifier: Apache-2.0
//
// Requests: what is read, cut into messages and encoded, one by one as they come. On the loop's
// thread.
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
  // From a message as it stands in the input to its bytes.
  using Encode = std::function<Result<std::string>(std::string message)>;

  // `input` null: there are none.
  Requests(std::unique_ptr<Input> input, std::unique_ptr<MessageSplitter> splitter, Encode encode)
      : input_(std::move(input)), splitter_(std::move(splitter)), encode_(std::move(encode)) {}

  // The next one; none at the end. INVALID_ARGUMENT `message N: WHAT`, or that the input cannot be
  // read; not to be called again then. Must outlive the task.
  Task<Result<std::optional<std::string>>> Next();

  // The only one, for a method that takes one; an empty message if there is none at all.
  // INVALID_ARGUMENT: there are more.
  Task<Result<std::string>> Only();

 private:
  std::unique_ptr<Input> input_;
  std::unique_ptr<MessageSplitter> splitter_;
  Encode encode_;
  size_t count_ = 0;
};

}  // namespace ttrpc::tool
