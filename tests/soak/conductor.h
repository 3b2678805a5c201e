// SPDX-License-Identifier: Apache-2.0
//
// Conductor: starts the daemon, the backends and the clients of the soak test. It kills and
// restarts the backends, makes the daemon reload, samples the daemon's resources, and ends
// everything. One thread, which forks.
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
  uint64_t lost_after = 15;  // seconds; a lost call is never answered, however long the wait
  uint64_t seed = 0;
  bool check_memory = true;
};

// `folder` is an empty directory for sockets and logs, which other users may enter.
Findings Conduct(const SoakOptions& options, const std::string& folder, Board& board);

}  // namespace soak
