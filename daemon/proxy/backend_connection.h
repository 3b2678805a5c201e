// SPDX-License-Identifier: Apache-2.0
//
// BackendConnection: one connection to a backend. It is dialled when it is opened, numbers the
// streams 1, 3, 5, … and gives each message of the backend to the owner of its call. It keeps the
// slots of calls that nobody waits for any more until the backend is done with them, so that a
// user's limit of calls bounds the work at the backend. On the worker's thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "limits/accounting.h"
#include "proxy/backend.h"
#include "proxy/call.h"
#include "proxy/deadline_queue.h"
#include "proxy/dialer.h"
#include "proxy/generation.h"
#include "proxy/reaper.h"
#include "proxy/ref.h"
#include "proxy/worker_counters.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/connection.h"
#include "ttrpc/wire/request.h"
#include "ttrpc/wire/stream_map.h"

namespace proxyd {

class BackendConnection;

// The parts of a worker that connections to backends use. All of them must outlive
// these connections.
struct BackendContext {
  ttrpc::IoLoop& loop;
  WorkerCounters& counters;
  const Ref<Generation>& generation;  // the latest
  const BackendLimits& limits;
  DeadlineQueue& write_deadlines;
  DeadlineQueue& abandoned_deadlines;  // for calls whose peer has left
  Reaper& reaper;
  // A connection whose streams have come this far takes no more calls.
  uint32_t last_stream_id;

  uint32_t message_size() const { return generation->config().limits.message_size; }
};

// The owner of a connection learns what becomes of it; the messages go to the calls' owners. Each
// function is called from a callback of the connection, which must not be destroyed in it.
class BackendConnectionOwner {
 public:
  // The send queue was full and is low again.
  virtual void OnBackendSendQueueLow() = 0;
  // The connection's held() has changed.
  virtual void OnBackendHeldChanged() = 0;
  // A call was removed or abandoned, or the connection was retired for abandoned calls.
  virtual void OnBackendCallEnded(BackendConnection& connection) = 0;
  // The connection could not be made.
  virtual void OnBackendUnreachable(BackendConnection& connection) = 0;
  // The backend has taken no bytes for as long as it may.
  virtual void OnBackendStuck(BackendConnection& connection) = 0;
  // The connection was made, and is closed now.
  virtual void OnBackendClosed(BackendConnection& connection, ttrpc::CloseReason reason) = 0;

 protected:
  ~BackendConnectionOwner() = default;
};

class BackendConnection final : public ttrpc::ConnectionHandler {
 public:
  struct Options {
    Ref<Backend> backend;
    // The user whose calls it carries: connections of one user, on both sides, share their turns.
    uid_t uid;
    BackendSlot slot = {};  // the user's, which is kept until it is closed
  };

  // `context` and `owner` must outlive it. Null if the backend cannot be reached; a connection that
  // is returned may still find that out, and queues what is sent meanwhile.
  static std::unique_ptr<BackendConnection> Open(const BackendContext& context, Options options,
                                                 BackendConnectionOwner& owner);
  ~BackendConnection();

  Backend& backend() const { return *backend_; }
  ttrpc::Connection& connection() { return connection_; }
  const ttrpc::Connection& connection() const { return connection_; }

  // Gives the call its backend_id. Not on a connection that takes no calls. The last that can be
  // numbered retires it.
  void Add(Call* call);
  // Queues the call's request, which is encoded in `size` bytes.
  void SendRequest(const Call& call, const ttrpc::RequestView& request, size_t size, uint8_t flags);
  // The backend is done with it.
  void Remove(Call& call) {
    calls_.Erase(call.backend_id);
    call.in_flight.Leave();
    --backend_->counters().calls_in_flight;
    owner_.OnBackendCallEnded(*this);
  }
  // The backend may still work on it. Messages for it are dropped from now on; its slot stays
  // taken until the last of them has come, or this is closed. Until then it is in the ring
  // `others`.
  void Abandon(Call* call, ttrpc::RingNode* others);
  // `visit` takes a Call*, in no order, and must not end it.
  template <typename Visit>
  void ForEachCall(Visit visit) const {
    calls_.ForEach(visit);
  }
  bool OwnedBy(const BackendConnectionOwner& owner) const { return &owner_ == &owner; }
  size_t calls() const { return calls_.size(); }

  // No new calls; to be closed by its owner after the last.
  void Retire() { retired_ = true; }
  bool retired() const { return retired_; }
  // The next call is the last.
  void RetireAfterNext() { next_is_last_ = true; }
  bool takes_calls() const { return !retired_ && !connection_.closed(); }

  // Closes it now, connected or still dialling. The owner hears nothing more.
  void Close();

 private:
  BackendConnection(const BackendContext& context, Options options, BackendConnectionOwner& owner);

  void Start(ttrpc::UniqueFd socket);
  void OnDialled(DialResult result);
  void OnMessage(const ttrpc::MessageHeader& header, std::string_view data) override;
  void OnOversizedMessage(const ttrpc::MessageHeader& header) override;
  void OnSendQueueLow() override { owner_.OnBackendSendQueueLow(); }
  void OnWriteBlocked(bool blocked) override;
  void OnHeldChanged() override { owner_.OnBackendHeldChanged(); }
  void OnClosed(ttrpc::CloseReason reason, int error_number) override;
  Call* Find(const ttrpc::MessageHeader& header);
  void OnBackendDone(const ttrpc::MessageHeader& header);
  void ForgetAbandoned();

  const BackendContext& context_;
  Ref<Backend> backend_;
  BackendConnectionOwner& owner_;
  BackendSlot slot_;
  ttrpc::Connection connection_;
  ttrpc::StreamMap<Call*> calls_;                          // by backend_id
  std::unordered_map<uint32_t, AbandonedCall> abandoned_;  // the same; few, if any
  uint32_t next_id_ = 1;
  bool next_is_last_ = false;
  bool retired_ = false;
  bool counted_ = false;            // among the backend's connections
  std::unique_ptr<Dialer> dialer_;  // null if there was nothing to wait for
  Deadline write_deadline_;
};

// The answer to the calls of a backend connection that was closed; none: their peers are closed.
std::optional<ttrpc::Status> StatusOfLoss(const BackendConfig& backend, ttrpc::CloseReason reason);

}  // namespace proxyd
