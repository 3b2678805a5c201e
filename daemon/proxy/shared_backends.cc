// SPDX-License-Identifier: Apache-2.0
#include "proxy/shared_backends.h"

#include <algorithm>
#include <utility>

namespace proxyd {

SharedBackend::SharedBackend(const BackendContext& context, Ref<Backend> backend, MemoryCharge slot,
                             const GrewFunction& grew)
    : grew_(grew),
      backend_(std::move(backend)),
      slot_(std::move(slot)),
      pool_(context, slot_.account().uid(), *this) {}

void SharedBackend::OnBackendSendQueueLow() {
  for (CallOwner* peer : peers_) peer->OnBackendSendQueueLow();
}

void SharedBackend::OnBackendHeldChanged() {
  const size_t held = pool_.held();
  const bool grew = held > slot_.bytes();
  slot_.Set(held);
  if (grew) grew_(slot_.account());
}

// Closes only the peers that have calls on the connection.
void SharedBackend::OnBackendLost(BackendConnection& connection) {
  std::vector<CallOwner*> losers;
  connection.ForEachCall([&losers](const Call* call) { losers.push_back(call->owner); });
  std::sort(losers.begin(), losers.end());
  losers.erase(std::unique(losers.begin(), losers.end()), losers.end());
  for (CallOwner* peer : losers) peer->LoseBackend(backend_->config());
}

SharedBackend& SharedBackends::Join(CallOwner& peer, const ConnectionSlot& slot,
                                    const Ref<Backend>& backend) {
  auto& shared = all_[{slot.account().uid(), backend.get()}];
  if (!shared) shared = std::make_unique<SharedBackend>(context_, backend, slot.NewCharge(), grew_);
  shared->peers_.push_back(&peer);
  return *shared;
}

void SharedBackends::Leave(const CallOwner& peer, SharedBackend& shared) {
  auto& peers = shared.peers_;
  const auto own = std::find(peers.begin(), peers.end(), &peer);
  *own = peers.back();
  peers.pop_back();
  if (!peers.empty()) return;
  // Retiring the connections also ends abandoned calls and releases their memory, which must happen
  // while the user still has an account.
  shared.pool_.Retire();
  const auto found = all_.find({shared.slot_.account().uid(), &shared.backend()});
  context_.reaper.DestroyLater(std::move(found->second));
  all_.erase(found);
}

void SharedBackends::Reload() {
  for (const auto& [key, shared] : all_) shared->pool_.Reload();
}

}  // namespace proxyd
