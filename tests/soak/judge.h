// SPDX-License-Identifier: Apache-2.0
//
// Whether what came back is what the call asked for, or a failure that is accounted for. No I/O;
// any thread.
#pragma once

#include <cstdint>
#include <string>

#include "bench/wire.h"
#include "soak/board.h"
#include "soak/content.h"

namespace soak {

// A call in flight, as its client knows it.
struct ClientCall {
  Ask ask;
  BackendKind backend = BackendKind::kClosing;
  uint64_t sent_at = 0;  // milliseconds
  // What happened to its backend from then on may be why it fails. Earlier than sent_at where the
  // daemon may see late that the backend's connection has ended: it does not read what it cannot
  // pass on.
  uint64_t exposed_from = 0;
  uint64_t timeout = 0;      // milliseconds; 0: no deadline
  bool above_limit = false;  // when it was sent, more than the limit may have been in flight
  uint32_t next_part = 0;
  uint32_t parts_sent = 0;  // data messages, with the Ask or the close of the stream
  uint32_t parts_received = 0;
  bool closed = false;  // our side
};

// At what time, and what is known of the call's backend.
struct Circumstances {
  uint64_t now = 0;
  bool backend_in_trouble = false;  // was down, or cut this connection, since the call was sent
};

bool InTrouble(const Board& board, const ClientCall& call);

struct Judgement {
  Outcome outcome = Outcome::kWrong;
  std::string why;  // of what is wrong
};

// A Response, which ends every call.
Judgement Judge(const Content& content, const ClientCall& call, const bench::Reply& reply,
                const Circumstances& circumstances);

}  // namespace soak
