// SPDX-License-Identifier: Apache-2.0
//
// The findings of the soak test as tables, and a verdict on each group of assertions. The only I/O
// is on standard output; one thread.
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

// Everything that the report needs.
struct Findings {
  std::vector<TimedSample> samples;  // taken while all connections are open
  Sample at_start;                   // before anything has connected
  Sample at_end;                     // after all connections have closed
  uint64_t connections = 0;          // how many should be open
  uint64_t kills = 0;                // how many times a backend was killed
  uint64_t good_reloads = 0;         // SIGHUPs sent with a good file
  uint64_t bad_reloads = 0;
  uint64_t clients_failed = 0;
  uint64_t backends_failed = 0;    // those that ended without being killed
  std::optional<int> exit_status;  // the daemon's, after SIGTERM
  uint64_t sanitizer_lines = 0;
  bool check_memory = true;
};

// Prints the report, whose last line is `N passed, N failed, N skipped`. Returns true if none
// failed.
bool Report(const Board& board, const Findings& findings);

}  // namespace soak
