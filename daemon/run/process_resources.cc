// SPDX-License-Identifier: Apache-2.0
#include "run/process_resources.h"

#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

namespace proxyd {

uint64_t MostDescriptors() {
  rlimit limit;
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : RLIM_INFINITY;
}

void RaiseDescriptorLimit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    spdlog::warn("the limit of open descriptors could not be raised");
}

// Each wake-up allocates and frees messages of about 64 KiB. By default the allocator returns their
// memory to the kernel each time and gets it back page by page, which took half of the processing
// time.
void KeepMemoryOfMessages() {
  constexpr int kKeptAtMost = 4 << 20;
  constexpr int kMappedFrom = 1 << 20;  // larger blocks are rare, and are returned at once
  ::mallopt(M_TRIM_THRESHOLD, kKeptAtMost);
  ::mallopt(M_MMAP_THRESHOLD, kMappedFrom);
}

void ReturnUnusedMemory() { ::malloc_trim(0); }

}  // namespace proxyd
