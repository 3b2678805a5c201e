// SPDX-License-Identifier: Apache-2.0
//
// Decides whether an outcome is what the call asked for, or a failure with a known cause. No I/O;
// any thread.
#pragma once

#include <cstdint>
#include <string>

#include "bench/wire.h"
#include "soak/board.h"
#include "soak/content.h"

namespace soak {

// A call in flight, with everything that its client knows about it.
struct ClientCall {
  Ask ask;
  BackendKind backend = BackendKind::kClosing;
  uint64_t sent_at = 0;  // milliseconds
  // A failure of the backend from this time on may be why the call fails. It is earlier than
  // sent_at if the daemon may notice late that the backend's connection has ended, since it does
  // not read what it cannot forward.
  uint64_t exposed_from = 0;
  uint64_t timeout = 0;      // milliseconds; 0: no deadline
  bool above_limit = false;  // when it was sent, the limit may have been exceeded
  uint32_t next_part = 0;
  uint32_t parts_sent = 0;  // data messages, with the Ask or the close of the stream
  uint32_t parts_received = 0;
  bool closed = false;  // this side of the stream
};

// The time, and the state of the call's backend.
struct Circumstances {
  uint64_t now = 0;
  bool backend_in_trouble = false;  // down, or cut this connection, since the call was sent
};

bool InTrouble(const Board& board, const ClientCall& call);

struct Judgement {
  Outcome outcome = Outcome::kWrong;
  std::string why;  // empty if nothing is wrong
};

// `reply` is a Response, which ends every call.
Judgement Judge(const Content& content, const ClientCall& call, const bench::Reply& reply,
                const Circumstances& circumstances);

}  // namespace soak
