// SPDX-License-Identifier: Apache-2.0
//
// Makes all connections of one user, in a process that runs as that user. It has one thread.
#pragma once

#include <cstdint>
#include <string>

#include "soak/board.h"
#include "soak/content.h"

namespace soak {

struct ClientOptions {
  std::string socket;
  uint32_t user = 0;  // its uid is kFirstUid + user
  uint32_t connections = 1;
  double calls_per_second = 1;        // for all connections together, if replies come in time
  uint64_t ramp = 1000;               // milliseconds over which the connections are opened
  uint64_t lost_after = 15000;        // milliseconds after which an answer counts as lost
  uint32_t calls_per_connection = 0;  // the daemon's limit
  uint64_t seed = 0;
};

// Runs until Board::stop, and counts each call on the board.
void RunClient(const ClientOptions& options, Board& board, const Content& content);

}  // namespace soak
