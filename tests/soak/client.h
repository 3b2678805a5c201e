// SPDX-License-Identifier: Apache-2.0
//
// All connections of one user, in a process that has become that user. One thread.
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
  double calls_per_second = 1;        // all connections together, as far as replies come
  uint64_t ramp = 1000;               // milliseconds in which the connections are opened
  uint64_t lost_after = 5000;         // milliseconds without an answer
  uint32_t calls_per_connection = 0;  // the daemon's limit
  uint64_t seed = 0;
};

// Until Board::stop; each call is counted on the board.
void RunClient(const ClientOptions& options, Board& board, const Content& content);

}  // namespace soak
