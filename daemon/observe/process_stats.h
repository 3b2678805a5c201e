// SPDX-License-Identifier: Apache-2.0
//
// ProcessStats: what the kernel reports about this process. Any thread may use it.
#pragma once

#include <cstdint>

namespace proxyd {

// Values that cannot be read are 0.
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
