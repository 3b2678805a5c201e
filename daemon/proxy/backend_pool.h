// SPDX-License-Identifier: Apache-2.0
//
// BackendPool: the connections to backends that carry the calls of one owner, which is a peer or
// what the peers of one user share. It finds a connection that takes calls, or opens it, drops a
// retired one after its last call, and answers the calls of a lost one. On the worker's thread.
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

// A connection for a call; null: the backend cannot be reached; or the limit that is reached.
using FoundBackend = std::variant<BackendConnection*, Limit>;

// The owner of a pool. Each function may be called from a callback of one of its connections, in
// which the pool must not be destroyed.
class BackendPoolOwner {
 public:
  // A connection's full send queue is low again, or a connection was dropped.
  virtual void OnBackendSendQueueLow() = 0;
  // The pool's held() has changed.
  virtual void OnBackendHeldChanged() = 0;
  // A connection was lost to a backend that its peers must not outlive. Its calls are still on it.
  virtual void OnBackendLost(BackendConnection& connection) = 0;

 protected:
  ~BackendPoolOwner() = default;
};

class BackendPool final : private BackendConnectionOwner {
 public:
  // `context` and `owner` must outlive it. `uid` is the user whose calls it carries.
  BackendPool(const BackendContext& context, uid_t uid, BackendPoolOwner& owner)
      : context_(context), owner_(owner), uid_(uid) {}
  BackendPool(const BackendPool&) = delete;
  BackendPool& operator=(const BackendPool&) = delete;

  // The connection to this backend that takes calls. If there is none it is opened, and counted
  // where `peer`, a connection of the user, is.
  FoundBackend ConnectionTo(const Ref<Backend>& backend, const ConnectionSlot& peer);

  // The latest generation counts from here on: connections to backends that it does not have take
  // no more calls.
  void Reload();
  // No more calls on any of the connections, which are dropped after their last.
  void Retire();
  // Closes all connections now. Nothing follows from that for their calls.
  void Close();

  bool Has(const BackendConnection& connection) const { return connection.OwnedBy(*this); }
  bool send_queue_full() const;
  // Bytes of memory, as ttrpc::Connection's.
  size_t held() const;
  // These three do for all connections what ttrpc::Connection's functions of that name do for one.
  std::optional<uint64_t> stuck_since() const;
  void PauseReading();
  void ResumeReading();

 private:
  void OnBackendSendQueueLow() override { owner_.OnBackendSendQueueLow(); }
  void OnBackendHeldChanged() override { owner_.OnBackendHeldChanged(); }
  void OnBackendCallEnded(BackendConnection& connection) override { DropIfDone(connection); }
  void OnBackendUnreachable(BackendConnection& connection) override;
  void OnBackendStuck(BackendConnection& connection) override;
  void OnBackendClosed(BackendConnection& connection, ttrpc::CloseReason reason) override;

  void AnswerCallsOf(BackendConnection& connection, const ttrpc::Status& status,
                     const AuditCause& cause);
  void RetireAll(const std::vector<BackendConnection*>& connections);
  void DropIfDone(BackendConnection& connection);

  const BackendContext& context_;
  BackendPoolOwner& owner_;
  // At most one for each backend takes calls; the others are retired.
  std::vector<std::unique_ptr<BackendConnection>> connections_;
  const uid_t uid_;
};

}  // namespace proxyd
