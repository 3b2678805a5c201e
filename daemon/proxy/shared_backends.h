// SPDX-License-Identifier: Apache-2.0
//
// SharedBackends: a worker's connections to backends with connections = "per-user". Each user has
// one for each backend, which carries the unary calls of all of the user's peers. A peer that does
// not read or that leaves does not delay the others, and no user affects another. It runs on the
// worker's thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "limits/accounting.h"
#include "proxy/backend.h"
#include "proxy/backend_connection.h"
#include "proxy/backend_pool.h"
#include "proxy/call.h"
#include "proxy/ref.h"

namespace proxyd {

// SharedBackend: what the peers of one user share of one backend. It is destroyed when its last
// peer has left.
class SharedBackend final : private BackendPoolOwner {
 public:
  // The user holds more memory than before, in this object and not in a peer. Peers may be closed
  // on return.
  using GrewFunction = std::function<void(const UserAccount& account)>;

  // `context` and `grew` must outlive this. The user's account must outlive the peers.
  SharedBackend(const BackendContext& context, Ref<Backend> backend, MemoryCharge slot,
                const GrewFunction& grew);

  const Backend& backend() const { return *backend_; }
  // Returns a connection that takes calls, or opens one on behalf of `peer`.
  FoundBackend Connection(const ConnectionSlot& peer) { return pool_.ConnectionTo(backend_, peer); }
  bool Carries(const Call& call) const { return pool_.Has(*call.backend); }
  bool send_queue_full() const { return pool_.send_queue_full(); }

 private:
  friend class SharedBackends;

  void OnBackendSendQueueLow() override;
  void OnBackendHeldChanged() override;
  void OnBackendLost(BackendConnection& connection) override;

  const GrewFunction& grew_;
  const Ref<Backend> backend_;
  MemoryCharge slot_;
  std::vector<CallOwner*> peers_;  // the peers that have joined
  BackendPool pool_;
};

class SharedBackends {
 public:
  // `context` must outlive this.
  SharedBackends(const BackendContext& context, SharedBackend::GrewFunction grew)
      : context_(context), grew_(std::move(grew)) {}
  SharedBackends(const SharedBackends&) = delete;
  SharedBackends& operator=(const SharedBackends&) = delete;

  // Returns what the user of the connection `slot` shares of the backend. The peer must leave it
  // before the peer is destroyed.
  SharedBackend& Join(CallOwner& peer, const ConnectionSlot& slot, const Ref<Backend>& backend);
  // The peer must have no more calls on the backend.
  void Leave(const CallOwner& peer, SharedBackend& shared);

  // Applies the latest generation: backends that it does not have take no more calls.
  void Reload();

 private:
  // A backend that a reload replaced is a different key.
  using Key = std::pair<uid_t, const Backend*>;

  const BackendContext& context_;
  const SharedBackend::GrewFunction grew_;
  std::map<Key, std::unique_ptr<SharedBackend>> all_;
};

}  // namespace proxyd
