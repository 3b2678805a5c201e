// SPDX-License-Identifier: Apache-2.0
//
// ProcessLabels: what /proc reports about a process, for people who read the audit. No decision
// uses it: a process chooses its own name, and its pid may belong to another process by now. Any
// thread may call this, and nothing waits, since the kernel has the data in memory.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "observe/audit_record.h"

namespace proxyd {

class ProcessLabels {
 public:
  // Empty or kNoLoginUid if the process has ended, is hidden from us, or has none. The view is
  // valid as long as this object exists unchanged.
  std::string_view comm() const { return {comm_.data(), comm_size_}; }
  uint32_t loginuid() const { return loginuid_; }

 private:
  friend ProcessLabels ReadProcessLabels(pid_t pid);

  std::array<char, 15> comm_{};  // the kernel's TASK_COMM_LEN without its NUL
  uint8_t comm_size_ = 0;
  uint32_t loginuid_ = kNoLoginUid;
};

// Reads /proc/PID/comm and /proc/PID/loginuid. A pid of 0 is a process that we cannot see.
ProcessLabels ReadProcessLabels(pid_t pid);

}  // namespace proxyd
