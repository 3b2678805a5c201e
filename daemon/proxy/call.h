// SPDX-License-Identifier: Apache-2.0
//
// Call: one call in flight. It is a stream of its peer and a stream of a backend connection. The
// peer owns it from the moment its request is forwarded until its end. Meanwhile the backend
// connection points to it and passes the backend's messages to the call's owner.
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
#include "proxy/workload_state.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/timer.h"
#include "ttrpc/wire/message.h"

namespace proxyd {

class BackendConnection;
struct Call;

// The owner of calls, a peer, as its backend connections see it. Each function is called from a
// callback of a backend connection, and may end the call.
class CallOwner {
 public:
  // The backend sent a response or data.
  virtual void OnBackendMessage(Call& call, const ttrpc::MessageHeader& header,
                                std::string_view data) = 0;
  // The backend sent a message that is too long and was discarded.
  virtual void OnBackendOversizedMessage(Call& call, const ttrpc::MessageHeader& header) = 0;
  // The backend will not answer the call, so the owner must. `cause` is for the audit.
  virtual void AnswerCall(Call& call, const ttrpc::Status& status, const AuditCause& cause) = 0;
  // A backend with on_disconnect = "close-peers" was lost.
  virtual void LoseBackend(const BackendConfig& backend) = 0;
  // A connection that the calls may wait for has room again, or is gone.
  virtual void OnBackendSendQueueLow() = 0;

 protected:
  ~CallOwner() = default;
};

// CallLabel: the parts of a call's request that reports need. The texts share one piece of memory,
// which is kept for the next call.
class CallLabel {
 public:
  void Set(std::string_view service, std::string_view method, std::string_view traceparent);
  void Clear() { method_ = traceparent_ = end_ = 0; }

  // Valid until the next Set().
  std::string_view service() const { return {text_.data(), method_}; }
  std::string_view method() const { return {text_.data() + method_, traceparent_ - method_}; }
  std::string_view traceparent() const {
    return {text_.data() + traceparent_, end_ - traceparent_};
  }
  // Returns the bytes of memory for the texts.
  size_t memory() const { return text_.capacity(); }

  bool end_wanted = false;  // the audit wants a line at the end
  bool pod_known = false;   // the workload's pod was known at the start

 private:
  std::string text_;   // has room for the longest texts so far
  size_t method_ = 0;  // where the texts begin and end; the service is the first one
  size_t traceparent_ = 0;
  size_t end_ = 0;
};

struct Call {
  explicit Call(const StreamState& initial) : state(initial) {}
  ~Call();

  // Releases everything that it holds, and keeps the memory of the label.
  void Reset();

  uint32_t id = 0;  // on the peer's side
  uint32_t backend_id = 0;
  CallOwner* owner = nullptr;
  BackendConnection* backend = nullptr;
  StreamState state;
  Ref<Generation> generation;   // the one that allowed the call
  size_t rule = 0;              // index into the rules of that generation
  Ref<WorkloadState> workload;  // the one that it is about, if any
  MethodCounters* counters = nullptr;
  std::chrono::steady_clock::time_point start;
  CallInFlight in_flight;  // in the ring of its backend's calls
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  CallLabel label;
  size_t bytes = 0;  // memory, as charged to the user
  CallSlot slot;
  AuditReservation audit_reservation;  // room for the line at its end
  std::unique_ptr<ttrpc::Timer> deadline;
};

// The end of a call.
struct CallEnd {
  ttrpc::StatusCode code;
  std::chrono::nanoseconds duration;  // since it was forwarded
  AuditCause cause = {};              // set if the proxy ended the call
};

// SpareCalls: a store of ended calls. Calls come and go with every message, so some are kept for
// the next ones, with the memory of their labels.
class SpareCalls {
 public:
  std::unique_ptr<Call> New(const StreamState& state);
  // Stores an ended call. Everything that it holds is released at once.
  void Recycle(std::unique_ptr<Call> call);

 private:
  std::vector<std::unique_ptr<Call>> spare_;
};

// AbandonedCall: the rest of a call that was answered, or whose peer left, before its backend had
// finished. It holds the user's slot until then. Its backend connection owns it.
struct AbandonedCall : ttrpc::RingNode {  // in its peer's ring, until the peer leaves
  explicit AbandonedCall(CallSlot taken, void (*late)(void* connection), void* connection)
      : slot(std::move(taken)), deadline(late, connection) {}

  CallSlot slot;
  CallInFlight in_flight;
  Deadline deadline;  // runs once the peer has left
};

}  // namespace proxyd
