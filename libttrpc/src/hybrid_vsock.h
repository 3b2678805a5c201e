// SPDX-License-Identifier: Apache-2.0
//
// HybridVsockAnswer: what the monitor of a virtual machine says to `CONNECT PORT\n` on the Unix
// socket that it has for the machine's ports: `OK …\n`. What follows is the port's. No I/O; one
// thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace ttrpc {

class HybridVsockAnswer {
 public:
  enum class State { kIncomplete, kAccepted, kWrong };

  // Of Firecracker and of Cloud Hypervisor an answer has at most 14 bytes: `OK 4294967295\n`. One
  // that goes on beyond this is wrong.
  static constexpr size_t kMaxLength = 32;

  // Takes what of `bytes` belongs to the answer, and nothing of what follows; returns how much.
  size_t Take(std::string_view bytes);
  State state() const { return state_; }

 private:
  State After(char next) const;

  size_t length_ = 0;
  State state_ = State::kIncomplete;
};

}  // namespace ttrpc
