// SPDX-License-Identifier: Apache-2.0
//
// ProcessStats: what the kernel says of this process. Any thread.
#pragma once

#include <cstdint>

namespace proxyd {

// What cannot be told is 0.
struct ProcessStats {
  double cpu_seconds = 0;
  double start_time = 0;  // seconds since 1970
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_descriptors = 0;
  uint64_t most_descriptors = 0;
};

ProcessStats ReadProcessStats();

}  // namespace proxyd
