// SPDX-License-Identifier: Apache-2.0
//
// Call: one call in flight: which stream of the peer it is, and which of a backend connection. Its
// peer owns it, from when its request is forwarded until its end; the backend connection refers to
// it meanwhile.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "limits/accounting.h"
#include "observe/audit_shares.h"
#include "observe/labeled_counters.h"
#include "proxy/deadline_queue.h"
#include "proxy/generation.h"
#include "proxy/ref.h"
#include "proxy/stream_state.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"

namespace proxyd {

class BackendConnection;
class Peer;

// What is told of a call, of its request. Its strings keep their memory for the next call.
struct CallLabel {
  std::string service;
  std::string method;
  std::string traceparent;
  bool end_wanted = false;  // by the audit
};

struct Call {
  explicit Call(const StreamState& initial) : state(initial) {}

  // As new, but with the label's memory.
  void Reset(const StreamState& initial);

  uint32_t id = 0;  // the peer's
  uint32_t backend_id = 0;
  Peer* peer = nullptr;
  BackendConnection* backend = nullptr;
  StreamState state;
  Ref<Generation> generation;  // that allowed it
  size_t rule = 0;             // of its configuration
  MethodCounters* counters = nullptr;
  std::chrono::steady_clock::time_point start;
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  CallLabel label;
  size_t bytes = 0;  // of memory, as they are counted for its user
  CallPlace place;
  AuditPlace audit_place;  // for the line of its end
  std::unique_ptr<ttrpc::Timer> deadline;
};

inline void Call::Reset(const StreamState& initial) {
  id = 0;
  backend_id = 0;
  peer = nullptr;
  backend = nullptr;
  state = initial;
  generation = {};
  rule = 0;
  counters = nullptr;
  start = {};
  request_bytes = 0;
  response_bytes = 0;
  label.service.clear();
  label.method.clear();
  label.traceparent.clear();
  label.end_wanted = false;
  bytes = 0;
  place.Leave();
  audit_place.Leave();
  deadline.reset();
}

// AbandonedCall: what is left of a call that was answered, or whose peer has left, before its
// backend was done with it. It holds the user's place until then; its backend connection owns it.
struct AbandonedCall : ttrpc::RingNode {  // in its peer's ring, while that is there
  explicit AbandonedCall(CallPlace taken, void (*late)(void* connection), void* connection)
      : place(std::move(taken)), deadline(late, connection) {}

  CallPlace place;
  Deadline deadline;  // runs once its peer has left
};

}  // namespace proxyd
