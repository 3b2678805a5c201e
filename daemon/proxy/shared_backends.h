// SPDX-License-Identifier: Apache-2.0
//
// SharedBackends: the connections of a worker to backends with connections = "per-user". There is
// one for each user and backend, which carries the unary calls of all of that user's peers. A peer
// that does not read, or that leaves, does not hold up the others; what one user does has no effect
// on another. On the worker's thread.
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

// SharedBackend: what the peers of one user share of one backend. It ends when the last of them has
// left.
class SharedBackend final : private BackendPoolOwner {
 public:
  // The user holds more memory than before, though none of its peers does. Peers may be closed on
  // return.
  using GrewFunction = std::function<void(const UserAccount& account)>;

  // `context` and `grew` must outlive it, and the user's account its peers.
  SharedBackend(const BackendContext& context, Ref<Backend> backend, MemoryCharge slot,
                const GrewFunction& grew);

  const Backend& backend() const { return *backend_; }
  // A connection that takes calls, opened if there is none, for one of its peers.
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
  std::vector<CallOwner*> peers_;  // that have joined
  BackendPool pool_;
};

class SharedBackends {
 public:
  // `context` must outlive it.
  SharedBackends(const BackendContext& context, SharedBackend::GrewFunction grew)
      : context_(context), grew_(std::move(grew)) {}
  SharedBackends(const SharedBackends&) = delete;
  SharedBackends& operator=(const SharedBackends&) = delete;

  // Returns what the user of the connection `slot` shares of the backend. The peer belongs to it
  // until it leaves, which it has to do before it is destroyed.
  SharedBackend& Join(CallOwner& peer, const ConnectionSlot& slot, const Ref<Backend>& backend);
  // None of the peer's calls is on the backend any more.
  void Leave(const CallOwner& peer, SharedBackend& shared);

  // The latest generation counts from here on: backends that it does not have take no more calls.
  void Reload();

 private:
  // A backend that a reload replaced is another one.
  using Key = std::pair<uid_t, const Backend*>;

  const BackendContext& context_;
  const SharedBackend::GrewFunction grew_;
  std::map<Key, std::unique_ptr<SharedBackend>> all_;
};

}  // namespace proxyd
