// SPDX-License-Identifier: Apache-2.0
//
// MessageQueue: a first-in, first-out queue of messages that normally holds no memory while it is
// empty. Most streams have nothing queued, and a std::deque allocates half a kibibyte at once. No
// I/O; one thread at a time may use it.
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
    // Removed entries are dropped once they are the larger part, so that each message moves at most
    // once for each one removed.
    if (messages_.size() == messages_.capacity() && begin_ * 2 > messages_.size()) {
      messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
    }
    messages_.push_back(std::move(message));
  }
  // Must not be called if the queue is empty.
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
  size_t begin_ = 0;  // the entries before it were removed
};

}  // namespace ttrpc
