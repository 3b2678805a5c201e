// SPDX-License-Identifier: Apache-2.0
//
// Conductor: starts the daemon, backends and clients of the soak test, kills and restarts the
// backends, has the daemon reload, looks at it all the while, and ends it all. One thread, which
// forks.
#pragma once

#include <cstdint>
#include <string>

#include "soak/report.h"

namespace soak {

struct SoakOptions {
  std::string daemon;
  uint64_t seconds = 60;
  uint32_t connections = 2000;
  uint32_t users = 20;
  double calls_per_second = 3000;
  uint64_t lost_after = 5;  // seconds
  uint64_t seed = 0;
  bool check_memory = true;
};

// `folder`: an empty one, for sockets and logs; others may pass through it.
Findings Conduct(const SoakOptions& options, const std::string& folder, Board& board);

}  // namespace soak
