// SPDX-License-Identifier: Apache-2.0
//
// BackendConnection: one connection to a backend. It dials when it is opened, numbers its streams
// 1, 3, 5, … and passes each message of the backend to the owner of the call. When nobody waits for
// a call any more, it keeps the call's slot until the backend has finished, so that calls_per_user
// limits the work at the backend. It runs on the worker's thread.
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

// The parts of a worker that backend connections use. All of them must outlive the connections.
struct BackendContext {
  ttrpc::IoLoop& loop;
  WorkerCounters& counters;
  const Ref<Generation>& generation;  // the latest one
  const BackendLimits& limits;
  DeadlineQueue& write_deadlines;
  DeadlineQueue& abandoned_deadlines;  // for calls whose peer has left
  Reaper& reaper;
  // A connection whose stream ids have reached this takes no more calls.
  uint32_t last_stream_id;

  uint32_t message_size() const { return generation->config().limits.message_size; }
};

// The owner of a connection. Messages go to the owners of the calls instead. Each function is
// called from a callback of the connection, so it must not destroy the connection.
class BackendConnectionOwner {
 public:
  // The send queue was full, and is low again.
  virtual void OnBackendSendQueueLow() = 0;
  // The value of connection().held() has changed.
  virtual void OnBackendHeldChanged() = 0;
  // A call was removed or abandoned, or the connection was retired because of abandoned calls.
  virtual void OnBackendCallEnded(BackendConnection& connection) = 0;
  // The connection could not be established.
  virtual void OnBackendUnreachable(BackendConnection& connection) = 0;
  // The backend has taken no bytes for the whole `write` timeout.
  virtual void OnBackendStuck(BackendConnection& connection) = 0;
  // The connection was established, and is closed now.
  virtual void OnBackendClosed(BackendConnection& connection, ttrpc::CloseReason reason) = 0;

 protected:
  ~BackendConnectionOwner() = default;
};

class BackendConnection final : public ttrpc::ConnectionHandler {
 public:
  struct Options {
    Ref<Backend> backend;
    // The user whose calls the connection carries. All connections of a user, to peers and
    // backends, share the user's turns.
    uid_t uid;
    BackendSlot slot = {};  // the user's slot, held until the connection is closed
    // It is opened before there is a call for it. The owner is notified if it cannot be
    // established.
    bool ahead = false;
  };

  // `context` and `owner` must outlive the connection. Returns null if the backend cannot be
  // reached. A connection that is still dialling queues what is sent, and may still fail to reach
  // the backend.
  static std::unique_ptr<BackendConnection> Open(const BackendContext& context, Options options,
                                                 BackendConnectionOwner& owner);
  ~BackendConnection();

  Backend& backend() const { return *backend_; }
  ttrpc::Connection& connection() { return connection_; }
  const ttrpc::Connection& connection() const { return connection_; }

  // Sets the call's backend_id. The connection must take calls. The last call that can be numbered
  // retires the connection.
  void Add(Call* call);
  // Queues the call's request, whose encoded size is `size` bytes.
  void SendRequest(const Call& call, const ttrpc::RequestView& request, size_t size, uint8_t flags);
  // Removes a call that the backend has finished.
  void Remove(Call& call) {
    calls_.Erase(call.backend_id);
    call.in_flight.Leave();
    --backend_->counters().calls_in_flight;
    owner_.OnBackendCallEnded(*this);
  }
  // Removes a call that the backend may still work on. Its messages are dropped from now on. Its
  // slot stays taken, and it is in the ring `others`, until its last message arrives or this is
  // closed.
  void Abandon(Call* call, ttrpc::RingNode* others);
  // `visit` gets a Call*, in no particular order, and must not end the call.
  template <typename Visit>
  void ForEachCall(Visit visit) const {
    calls_.ForEach(visit);
  }
  bool OwnedBy(const BackendConnectionOwner& owner) const { return &owner_ == &owner; }
  size_t calls() const { return calls_.size(); }

  // Takes no new calls. The owner closes the connection after its last call.
  void Retire() { retired_ = true; }
  bool retired() const { return retired_; }
  bool ahead() const { return ahead_; }
  // The owner's number of its latest call that ended, or of its opening. It is larger than those
  // of connections without a call for a longer time.
  uint64_t last_used() const { return last_used_; }
  void SetLastUsed(uint64_t number) { last_used_ = number; }
  // Retires the connection after its next call.
  void RetireAfterNext() { next_is_last_ = true; }
  bool takes_calls() const { return !retired_ && !connection_.closed(); }

  // Closes the connection now, even while it dials. The owner's functions are not called any more.
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
  const bool ahead_;
  ttrpc::Connection connection_;
  ttrpc::StreamMap<Call*> calls_;                          // by backend_id
  std::unordered_map<uint32_t, AbandonedCall> abandoned_;  // by backend_id; few, if any
  uint64_t last_used_ = 0;
  uint32_t next_id_ = 1;
  bool next_is_last_ = false;
  bool retired_ = false;
  bool counted_ = false;            // whether it is included in the backend's counter
  std::unique_ptr<Dialer> dialer_;  // null if the result was known at once
  Deadline write_deadline_;
};

// Returns the answer to the calls of a closed backend connection; none if their peers are closed.
std::optional<ttrpc::Status> StatusOfLoss(const Backend& backend, ttrpc::CloseReason reason);

}  // namespace proxyd
