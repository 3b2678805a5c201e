// SPDX-License-Identifier: Apache-2.0
//
// Sets how the kernel and libc manage the descriptors and the memory of the process. On the main
// thread.
#pragma once

#include <cstdint>

namespace proxyd {

// Returns the most descriptors that the process may open (hard limit of RLIMIT_NOFILE).
uint64_t MostDescriptors();
// Raises the soft limit to that, since each peer and each backend connection takes a descriptor.
void RaiseDescriptorLimit();

// Makes the allocator keep the memory of messages for later ones.
void KeepMemoryOfMessages();
// Returns the allocator's unused memory to the kernel.
void ReturnUnusedMemory();

}  // namespace proxyd
