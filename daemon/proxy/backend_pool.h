// SPDX-License-Identifier: Apache-2.0
//
// BackendPool: the backend connections of one owner, which is a peer, or what the peers of one user
// share. It finds a connection that takes calls or opens one, closes a retired connection after its
// last call, and answers the calls of a lost one. It runs on the worker's thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "limits/accounting.h"
#include "proxy/backend.h"
#include "proxy/backend_connection.h"
#include "proxy/call.h"
#include "proxy/ref.h"
#include "ttrpc/status.h"
#include "ttrpc/wire/connection.h"

namespace proxyd {

// A connection for a call, the limit that is reached, or null if the backend cannot be reached.
using FoundBackend = std::variant<BackendConnection*, Limit>;

// The owner of a pool. Each function may be called from a callback of a connection, so it must not
// destroy the pool.
class BackendPoolOwner {
 public:
  // A connection's send queue was full and is low again, or a connection was closed.
  virtual void OnBackendSendQueueLow() = 0;
  // The value of held() has changed.
  virtual void OnBackendHeldChanged() = 0;
  // A connection was lost whose backend has on_disconnect = "close-peers". Its calls are still on
  // it.
  virtual void OnBackendLost(BackendConnection& connection) = 0;
  // A connection that ConnectAhead() opened could not be established. Its calls are still on it.
  virtual void OnAheadUnreachable(BackendConnection&) {}

 protected:
  ~BackendPoolOwner() = default;
};

class BackendPool final : private BackendConnectionOwner {
 public:
  // `context` and `owner` must outlive the pool. `uid` is the user whose calls it carries.
  BackendPool(const BackendContext& context, uid_t uid, BackendPoolOwner& owner)
      : context_(context), owner_(owner), uid_(uid) {}
  BackendPool(const BackendPool&) = delete;
  BackendPool& operator=(const BackendPool&) = delete;

  // Returns the connection to this backend that takes calls, or opens one. `peer` is a connection
  // of the user, where a new connection is counted.
  //
  // Connections to workloads at one socket for all are limited to backends_per_peer: the one
  // without a call for the longest time is closed for a new one. If all have calls, this returns
  // Limit::kBackendsPerPeer.
  FoundBackend ConnectionTo(const Ref<Backend>& backend, const ConnectionSlot& peer);
  // Does the same before there is a call.
  FoundBackend ConnectAhead(const Ref<Backend>& backend, const ConnectionSlot& peer);

  // Applies the latest generation: connections to backends that it does not have take no more
  // calls.
  void Reload();
  // Takes no more calls on any connection. Each connection is closed after its last call.
  void Retire();
  // Closes all connections now, without any effect on their calls.
  void Close();

  bool Has(const BackendConnection& connection) const { return connection.OwnedBy(*this); }
  bool send_queue_full() const;
  // The memory that all connections hold, in bytes; see ttrpc::Connection.
  size_t held() const;
  // These do for all connections what the functions of ttrpc::Connection do for one.
  std::optional<uint64_t> stuck_since() const;
  void PauseReading();
  void ResumeReading();

 private:
  void OnBackendSendQueueLow() override { owner_.OnBackendSendQueueLow(); }
  void OnBackendHeldChanged() override { owner_.OnBackendHeldChanged(); }
  void OnBackendCallEnded(BackendConnection& connection) override {
    connection.SetLastUsed(++uses_);
    DropIfDone(connection);
  }
  void OnBackendUnreachable(BackendConnection& connection) override;
  void OnBackendStuck(BackendConnection& connection) override;
  void OnBackendClosed(BackendConnection& connection, ttrpc::CloseReason reason) override;

  FoundBackend Find(const Ref<Backend>& backend, const ConnectionSlot& peer, bool ahead);
  bool MakeRoomAtSharedSocket();
  void AnswerCallsOf(BackendConnection& connection, const ttrpc::Status& status,
                     const AuditCause& cause);
  void RetireAll(const std::vector<BackendConnection*>& connections);
  void DropIfDone(BackendConnection& connection);

  const BackendContext& context_;
  BackendPoolOwner& owner_;
  // At most one connection to each backend takes calls. The others are retired.
  std::vector<std::unique_ptr<BackendConnection>> connections_;
  const uid_t uid_;
  uint64_t uses_ = 0;
};

}  // namespace proxyd
