// SPDX-License-Identifier: Apache-2.0
//
// Descriptors and memory of the process, as the daemon wants the kernel and libc to manage them.
// The main thread.
#pragma once

#include <cstdint>

namespace proxyd {

// How many descriptors the process may have, at most (RLIMIT_NOFILE).
uint64_t MostDescriptors();
// Raises the limit to that: each peer and each backend connection is a descriptor.
void RaiseDescriptorLimit();

// Has the allocator keep the memory of messages for the next ones.
void KeepMemoryOfMessages();
// Returns to the kernel what the allocator holds and nobody uses.
void ReturnUnusedMemory();

}  // namespace proxyd
