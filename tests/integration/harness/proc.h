// SPDX-License-Identifier: Apache-2.0
//
// Reads facts about a process from /proc. Any thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>

namespace integration {

size_t DescriptorsOf(pid_t pid);
// Counts only the sockets; a lookup in the user database opens other files for a moment.
size_t SocketsOf(pid_t pid);

// Adds up all threads, in the kernel and in user space.
std::chrono::milliseconds ProcessorTimeOf(pid_t pid);

// A line of /proc/PID/limits.
struct ProcessLimit {
  std::string soft;
  std::string hard;
};
ProcessLimit DescriptorLimitOf(pid_t pid);

}  // namespace integration
