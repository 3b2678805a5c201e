// SPDX-License-Identifier: Apache-2.0
//
// MessageSplitter: splits input, which arrives in pieces of any size, into messages. It stores at
// most one incomplete message and the piece that was added last. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc::tool {

// The limit for one message in the input, in bytes. JSON is longer than the message that it
// encodes, and the longest ttrpc message has just under 16 MiB.
constexpr size_t kLongestInput = 64U << 20;

class MessageSplitter {
 public:
  virtual ~MessageSplitter() = default;

  void Add(std::string_view bytes);
  // Marks the end of the input.
  void End() { ended_ = true; }

  // Returns the next message, or none if more input is needed or the input has ended. Returns
  // INVALID_ARGUMENT if the input ends within a message or a message is too long; no messages
  // follow then.
  virtual Result<std::optional<std::string>> Next() = 0;

 protected:
  std::string_view unread() const { return std::string_view(buffer_).substr(begin_); }
  bool ended() const { return ended_; }
  void Skip(size_t count) { begin_ += count; }
  std::optional<std::string> Take(size_t count);

 private:
  std::string buffer_;
  size_t begin_ = 0;  // everything before it has been taken
  bool ended_ = false;
};

// Splits a sequence of JSON values, with or without white space between them. A byte order mark
// before the first one is skipped. It only finds where each value ends; the contents may be
// invalid. A number or a word such as `true` ends at the next character or at the end of the input.
std::unique_ptr<MessageSplitter> JsonSplitter();

// Splits protobuf's "delimited" form: each message follows its length as a varint.
std::unique_ptr<MessageSplitter> DelimitedSplitter();
void AppendDelimited(std::string_view message, std::string* out);

// Treats the whole input as one message.
std::unique_ptr<MessageSplitter> WholeSplitter();

}  // namespace ttrpc::tool
