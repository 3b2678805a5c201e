// SPDX-License-Identifier: Apache-2.0
//
// ProcessLabels: what /proc says about a process, for people who read the audit. Nothing is decided
// by it: a process chooses its own name, and the pid may have gone to another one meanwhile. Any
// thread; nothing here waits, since the kernel has all of it in memory.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "observe/audit_record.h"

namespace proxyd {

class ProcessLabels {
 public:
  // Empty and kNoLoginUid: the process has gone, is hidden from us, or has none. The view is valid
  // as long as this is there and unchanged.
  std::string_view comm() const { return {comm_.data(), comm_size_}; }
  uint32_t loginuid() const { return loginuid_; }

 private:
  friend ProcessLabels ReadProcessLabels(pid_t pid);

  std::array<char, 15> comm_{};  // the kernel's TASK_COMM_LEN without its NUL
  uint8_t comm_size_ = 0;
  uint32_t loginuid_ = kNoLoginUid;
};

// Reads /proc/PID/comm and /proc/PID/loginuid. A pid of 0 is no process that we can see.
ProcessLabels ReadProcessLabels(pid_t pid);

}  // namespace proxyd
