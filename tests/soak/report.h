// SPDX-License-Identifier: Apache-2.0
//
// What the soak test found: tables, and the verdict of each group of assertions. No I/O but to
// standard output; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "soak/board.h"
#include "soak/daemon.h"

namespace soak {

struct TimedSample {
  double seconds = 0;  // since the clients began
  uint64_t open = 0;   // connections
  Sample sample;
};

// What happened, for the report.
struct Findings {
  std::vector<TimedSample> samples;  // from when all connections are open to when they end
  Sample at_start;                   // of the daemon: nothing has connected yet
  Sample at_end;                     // all have gone
  uint64_t connections = 0;          // that were to be open
  uint64_t kills = 0;                // of backends
  uint64_t good_reloads = 0;         // signals sent with such a file
  uint64_t bad_reloads = 0;
  uint64_t clients_failed = 0;
  uint64_t backends_failed = 0;    // ended, and we did not kill them
  std::optional<int> exit_status;  // of the daemon, after SIGTERM
  uint64_t sanitizer_lines = 0;
  bool check_memory = true;
};

// Prints; the last line is `N passed, N failed, N skipped`. True: none failed.
bool Report(const Board& board, const Findings& findings);

}  // namespace soak
