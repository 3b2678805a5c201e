// SPDX-License-Identifier: Apache-2.0
//
// BackendConnection: one connection to a backend. It has it dialled, numbers the streams
// 1, 3, 5, … and finds the call that a message belongs to. What the message means is its owner's
// business. It keeps the places of calls that nobody waits for any more until the backend is done
// with them, so that a user's limit of calls bounds the work at the backend. On the worker's
// thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <variant>

#include "limits/accounting.h"
#include "proxy/backend.h"
#include "proxy/call.h"
#include "proxy/deadline_queue.h"
#include "proxy/dialer.h"
#include "proxy/ref.h"
#include "ttrpc/connection.h"
#include "ttrpc/id_map.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class BackendConnection;
class Worker;

// Whoever opened the connection. The calls come from the connection's own callbacks: it must not be
// destroyed in them.
class BackendConnectionOwner {
 public:
  // Whose calls it carries: their connections, on both sides, have their turns together.
  virtual uid_t uid() const = 0;
  virtual void OnBackendMessage(Call& call, const ttrpc::MessageHeader& header,
                                std::string_view data) = 0;
  virtual void OnBackendOversizedMessage(Call& call, const ttrpc::MessageHeader& header) = 0;
  virtual void OnBackendSendQueueLow() = 0;
  // Its connection's held() has changed.
  virtual void OnBackendHeldChanged() = 0;
  // A call was removed or abandoned, or it was retired for those that were abandoned.
  virtual void OnBackendCallEnded(BackendConnection& connection) = 0;
  // It could not be connected.
  virtual void OnBackendUnreachable(BackendConnection& connection) = 0;
  // It takes no bytes, and has been told nothing more for the time that it may.
  virtual void OnBackendStuck(BackendConnection& connection) = 0;
  // It was connected, and is closed now.
  virtual void OnBackendClosed(BackendConnection& connection, ttrpc::CloseReason reason) = 0;

 protected:
  ~BackendConnectionOwner() = default;
};

// A connection for a call; null: the backend cannot be reached; or the limit that is reached.
using FoundBackend = std::variant<BackendConnection*, Limit>;

class BackendConnection final : public ttrpc::ConnectionHandler {
 public:
  // `worker` and `owner` must outlive it. Null if the backend cannot be reached; a connection that
  // is returned may still find that out, and queues what is sent meanwhile. `place` is the user's,
  // and held until it is closed.
  static std::unique_ptr<BackendConnection> Open(Worker& worker, Ref<Backend> backend,
                                                 BackendConnectionOwner& owner, BackendPlace place);

  // Made by Open().
  BackendConnection(Worker& worker, Ref<Backend> backend, BackendConnectionOwner& owner);
  ~BackendConnection();

  Backend& backend() const { return *backend_; }
  ttrpc::Connection& connection() { return connection_; }
  const ttrpc::Connection& connection() const { return connection_; }

  // Gives the call its backend_id. Not on a connection that takes no calls. The last that can be
  // numbered retires it.
  void Add(Call* call);
  // The backend is done with it.
  void Remove(const Call& call) {
    calls_.Erase(call.backend_id);
    --backend_->counters().calls_in_flight;
    owner_.OnBackendCallEnded(*this);
  }
  // The backend may still work on it. Messages for it are dropped from now on; its place stays
  // taken until the last of them has come, or this is closed. Until then it is in the ring
  // `others`.
  void Abandon(Call* call, ttrpc::RingNode* others);
  // `visit` takes a Call*, in no order, and must not end it.
  template <typename Visit>
  void ForEachCall(Visit visit) const {
    calls_.ForEach(visit);
  }
  const BackendConnectionOwner& owner() const { return owner_; }
  size_t calls() const { return calls_.size(); }

  // No new calls; to be closed by its owner after the last.
  void Retire() { retired_ = true; }
  bool retired() const { return retired_; }
  // The next call is the last.
  void RetireAfterNext() { next_is_last_ = true; }
  bool takes_calls() const { return !retired_ && !connection_.closed(); }

  // Now, connected or still dialling. The owner hears nothing more.
  void Close();

 private:
  void Start(ttrpc::UniqueFd socket);
  void OnDialled(ttrpc::UniqueFd socket);
  void OnMessage(const ttrpc::MessageHeader& header, std::string_view data) override;
  void OnOversizedMessage(const ttrpc::MessageHeader& header) override;
  void OnSendQueueLow() override { owner_.OnBackendSendQueueLow(); }
  void OnWriteBlocked(bool blocked) override;
  void OnHeldChanged() override { owner_.OnBackendHeldChanged(); }
  void OnClosed(ttrpc::CloseReason reason, int error_number) override;
  Call* Find(const ttrpc::MessageHeader& header);
  void OnBackendDone(const ttrpc::MessageHeader& header);
  void ForgetAbandoned();

  Worker& worker_;
  Ref<Backend> backend_;
  BackendConnectionOwner& owner_;
  BackendPlace place_;
  ttrpc::Connection connection_;
  ttrpc::IdMap<Call*> calls_;                              // by backend_id
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
