// SPDX-License-Identifier: Apache-2.0
//
// HybridVsockAnswer: recognizes the answer `OK …\n` of a virtual machine's monitor to `CONNECT
// PORT\n`, on the Unix socket that it provides for the machine's ports. The bytes after it come
// from the port. No I/O; one thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace ttrpc {

class HybridVsockAnswer {
 public:
  enum class State { kIncomplete, kAccepted, kWrong };

  // Answers of Firecracker and Cloud Hypervisor have at most 14 bytes: `OK 4294967295\n`. A longer
  // answer than this limit is wrong.
  static constexpr size_t kMaxLength = 32;

  // Consumes the part of `bytes` that belongs to the answer and returns its length.
  size_t Take(std::string_view bytes);
  State state() const { return state_; }

 private:
  State After(char next) const;

  size_t length_ = 0;
  State state_ = State::kIncomplete;
};

}  // namespace ttrpc
