// SPDX-License-Identifier: Apache-2.0
//
// Call: one call in flight, which is a stream of its peer and a stream of a backend connection. The
// peer owns it from when its request is forwarded until its end; the backend connection refers to
// it meanwhile, and brings what the backend sends to the call's owner.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "limits/slots.h"
#include "observe/audit_record.h"
#include "observe/audit_shares.h"
#include "observe/labeled_counters.h"
#include "proxy/deadline_queue.h"
#include "proxy/generation.h"
#include "proxy/ref.h"
#include "proxy/stream_state.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/timer.h"
#include "ttrpc/wire/message.h"

namespace proxyd {

class BackendConnection;
struct Call;

// The owner of calls, which is a peer, as its backend connections see it. Each function is called
// from a callback of a backend connection, and may end the call.
class CallOwner {
 public:
  // A response or data of the backend.
  virtual void OnBackendMessage(Call& call, const ttrpc::MessageHeader& header,
                                std::string_view data) = 0;
  // A message of the backend that is longer than allowed, and was discarded.
  virtual void OnBackendOversizedMessage(Call& call, const ttrpc::MessageHeader& header) = 0;
  // The backend will not answer the call: the owner answers it. `cause` is for the audit.
  virtual void AnswerCall(Call& call, const ttrpc::Status& status, const AuditCause& cause) = 0;
  // A backend was lost that its peers must not outlive (on_disconnect = "close-peers").
  virtual void LoseBackend(const BackendConfig& backend) = 0;
  // A connection that its calls may wait for can take more, or is gone.
  virtual void OnBackendSendQueueLow() = 0;

 protected:
  ~CallOwner() = default;
};

// What is told of a call, of its request. Its strings keep their memory for the next call.
struct CallLabel {
  std::string service;
  std::string method;
  std::string traceparent;
  bool end_wanted = false;  // by the audit
};

struct Call {
  explicit Call(const StreamState& initial) : state(initial) {}

  // Makes it as new, but for the memory of its label.
  void Reset(const StreamState& initial);

  uint32_t id = 0;  // the peer's
  uint32_t backend_id = 0;
  CallOwner* owner = nullptr;
  BackendConnection* backend = nullptr;
  StreamState state;
  Ref<Generation> generation;  // that allowed it
  size_t rule = 0;             // of its configuration
  MethodCounters* counters = nullptr;
  std::chrono::steady_clock::time_point start;
  CallInFlight in_flight;  // in the ring of its backend's calls
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  CallLabel label;
  size_t bytes = 0;  // of memory, as they are counted for its user
  CallSlot slot;
  AuditReservation audit_reservation;  // for the line of its end
  std::unique_ptr<ttrpc::Timer> deadline;
};

// How a call ended.
struct CallEnd {
  ttrpc::StatusCode code;
  std::chrono::nanoseconds duration;  // since it was forwarded
  AuditCause cause = {};              // of an end that was the proxy's doing
};

// SpareCalls: calls come and go with every message, so that some are kept, with the memory of their
// labels, for the next.
class SpareCalls {
 public:
  std::unique_ptr<Call> New(const StreamState& state);
  // The call has ended. What it held on to is given back at once.
  void Recycle(std::unique_ptr<Call> call);

 private:
  std::vector<std::unique_ptr<Call>> spare_;
};

// AbandonedCall: what is left of a call that was answered, or whose peer has left, before its
// backend was done with it. It holds the user's slot until then; its backend connection owns it.
struct AbandonedCall : ttrpc::RingNode {  // in its peer's ring, while that is there
  explicit AbandonedCall(CallSlot taken, void (*late)(void* connection), void* connection)
      : slot(std::move(taken)), deadline(late, connection) {}

  CallSlot slot;
  CallInFlight in_flight;
  Deadline deadline;  // runs once its peer has left
};

}  // namespace proxyd
