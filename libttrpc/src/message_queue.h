// SPDX-License-Identifier: Apache-2.0
//
// MessageQueue: messages, first in, first out. It holds no memory while it is empty and little has
// passed: most streams have nothing waiting, and a std::deque costs half a kibibyte from the
// beginning. No I/O; one thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace ttrpc {

class MessageQueue {
 public:
  bool empty() const { return begin_ == messages_.size(); }
  void push_back(std::string message) {
    // What was taken makes room, once it is the greater part: each message moves at most once for
    // each that was taken.
    if (messages_.size() == messages_.capacity() && begin_ * 2 > messages_.size()) {
      messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
    }
    messages_.push_back(std::move(message));
  }
  // Not if it is empty.
  std::string pop_front() {
    std::string message = std::move(messages_[begin_++]);
    if (empty()) {
      begin_ = 0;
      messages_.clear();
      if (messages_.capacity() > kKeptCapacity) messages_.shrink_to_fit();
    }
    return message;
  }

 private:
  static constexpr size_t kKeptCapacity = 4;

  std::vector<std::string> messages_;
  size_t begin_ = 0;  // those before it were taken
};

}  // namespace ttrpc
