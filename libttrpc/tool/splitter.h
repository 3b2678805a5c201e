// SPDX-License-Identifier: Apache-2.0
//
// MessageSplitter: cuts what is read, in pieces of any size, into messages. Pure; any thread.
// Bounded: what is kept is at most one message that is not complete, and what was added last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc::tool {

// Of one message as it stands in the input. JSON takes more room than what it says; the longest
// message that ttrpc can carry has just under 16 MiB.
constexpr size_t kLongestInput = 64U << 20;

class MessageSplitter {
 public:
  virtual ~MessageSplitter() = default;

  void Add(std::string_view bytes);
  // No more will come.
  void End() { ended_ = true; }

  // The next message; none: more must be added, or it is the end. INVALID_ARGUMENT: the input ends
  // within a message, or has one that is too long; there will be no more messages then.
  virtual Result<std::optional<std::string>> Next() = 0;

 protected:
  std::string_view unread() const { return std::string_view(buffer_).substr(begin_); }
  bool ended() const { return ended_; }
  void Skip(size_t count) { begin_ += count; }
  std::optional<std::string> Take(size_t count);

 private:
  std::string buffer_;
  size_t begin_ = 0;  // what is before it has been taken
  bool ended_ = false;
};

// JSON values one after another, with or without white space between them. Only where each ends is
// found out here: what is between two brackets may be nonsense. A number, or a word such as `true`,
// ends where the next character is seen, or the input's end.
std::unique_ptr<MessageSplitter> JsonSplitter();

// Messages of any bytes, each after its length as a varint: protobuf's own "delimited" form.
std::unique_ptr<MessageSplitter> DelimitedSplitter();
void AppendDelimited(std::string_view message, std::string* out);

// All of the input is one message.
std::unique_ptr<MessageSplitter> WholeSplitter();

}  // namespace ttrpc::tool
