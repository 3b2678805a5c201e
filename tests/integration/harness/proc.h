// SPDX-License-Identifier: Apache-2.0
//
// What /proc says of a process. Any thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>

namespace integration {

size_t DescriptorsOf(pid_t pid);
// Of these, the sockets. A look into the user database opens files for a moment.
size_t SocketsOf(pid_t pid);

// Of all its threads, in the kernel and out of it.
std::chrono::milliseconds ProcessorTimeOf(pid_t pid);

// A line of /proc/PID/limits.
struct ProcessLimit {
  std::string soft;
  std::string hard;
};
ProcessLimit DescriptorLimitOf(pid_t pid);

}  // namespace integration
