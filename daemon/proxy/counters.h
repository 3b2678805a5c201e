// SPDX-License-Identifier: Apache-2.0
//
// Counters: what a worker has seen that no reply tells. Written by that worker alone.
#pragma once

#include <array>
#include <cstdint>

#include "policy/accounting.h"

namespace proxyd {

struct Counters {
  uint64_t peers = 0;          // admitted
  uint64_t peers_refused = 0;  // closed before a byte was read
  uint64_t calls = 0;          // forwarded
  uint64_t denied = 0;         // by policy
  uint64_t refused = 0;        // answered with an error of ours: malformed, misplaced, too long
  uint64_t timed_out = 0;      // connections closed by a timeout, of peers and backends
  std::array<uint64_t, kLimits> limit_refusals{};  // by Limit
  uint64_t peer_dropped = 0;  // messages of a type that a peer has no business to send
  uint64_t backend_dropped =
      0;  // messages of a backend that belong to no call: late replies among them
  uint64_t protocol_errors = 0;  // connections given up: reserved header byte not zero

  void CountRefusal(Limit limit) { ++limit_refusals[static_cast<size_t>(limit)]; }
};

}  // namespace proxyd
