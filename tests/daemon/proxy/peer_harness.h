// SPDX-License-Identifier: Apache-2.0
//
// Peers without a worker: each is at one end of a socketpair, and uses what the fixture provides.
#pragma once

#include <gtest/gtest.h>

#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness.h"
#include "proxy/peer.h"

namespace proxyd::test {

class PeerFixture : public BackendFixture, private PeerOwner {
 protected:
  struct Connected {
    proxyd::Peer& peer;
    std::unique_ptr<OtherEnd> client;
  };

  // Returns a new peer of the first listener, or of the own socket of a workload there. The peer
  // may be closed already.
  Connected NewPeer(uid_t uid = kUser, const Ref<WorkloadState>& front = {}) {
    auto [client, socket] = Socketpair();
    proxyd::Peer& peer = Start(uid, std::move(socket), front);
    return {.peer = peer, .client = std::make_unique<OtherEnd>(loop_.io(), std::move(client))};
  }
  proxyd::Peer& Start(uid_t uid, ttrpc::UniqueFd socket, const Ref<WorkloadState>& front = {}) {
    const Ref<ListenerState>& listener = generation_->listener(0);
    const PeerIdentity identity = {
        .id = ++last_id_, .listener = &listener->config, .pid = 1, .uid = uid, .gid = 100};
    proxyd::NewPeer peer = {.identity = identity,
                            .listener = listener,
                            .groups = {},
                            .admission = generation_->policy().Admit(0, test::Peer(uid)),
                            .slot = Connect(uid),
                            .front = front};
    proxyd::Peer& started = peers_.emplace_back(peer_context_, std::move(peer), std::move(socket));
    started.Start(std::prev(peers_.end()));
    return started;
  }
  void RunUntilResponses(const OtherEnd& client, size_t n) {
    RunUntil([&] { return client.responses().size() >= n; });
  }
  uint64_t Ended(ttrpc::StatusCode code) const {
    uint64_t ended = 0;
    for (const auto& [key, method] : labeled_counters_.methods())
      ended += method.ended[static_cast<size_t>(code)];
    return ended;
  }
  // 0 without a user, too: the last connection of a user takes the account with it.
  uint32_t calls_of_user() const {
    const auto usage = accounting_.usage();
    return usage.empty() ? 0 : usage[0].calls;
  }

  // Callbacks of the peers.
  void OnPeerGrew(proxyd::Peer& peer) override { grew_(peer); }
  void OnPeerClosed(proxyd::Peer& peer) override {
    closed_.push_back(peer.identity().id);
    std::list<proxyd::Peer> dead;
    dead.splice(dead.end(), peers_, peer.position());
    reaper_.DestroyLater(std::move(dead));
  }

  std::function<void(proxyd::Peer&)> grew_ = [](proxyd::Peer&) {};
  std::vector<uint64_t> closed_;  // the ids of the closed peers
  uint64_t last_id_ = 0;
  bool draining_ = false;
  Audit audit_{config_.audit, std::make_unique<NowhereTarget>()};
  Reports reports_{audit_};
  GroupReader group_reader_{loop_.io()};
  UserNames names_{[](uid_t uid) { return "user" + std::to_string(uid); }};
  UserNameReader user_names_{loop_.io(), &names_};
  SharedBackends shared_backends_{context_, [](const UserAccount&) {}};
  SpareCalls spare_calls_;
  ttrpc::RequestView request_buffer_;
  GuardedValues guarded_values_;
  const PeerContext peer_context_ = {.loop = loop_.io(),
                                     .reports = reports_,
                                     .counters = counters_,
                                     .accounting = accounting_,
                                     .generation = generation_,
                                     .draining = draining_,
                                     .group_reader = group_reader_,
                                     .user_names = user_names_,
                                     .backends = context_,
                                     .shared_backends = shared_backends_,
                                     .spare_calls = spare_calls_,
                                     .request_buffer = request_buffer_,
                                     .guarded_values = guarded_values_,
                                     .owner = *this};
  std::list<proxyd::Peer> peers_;
};

}  // namespace proxyd::test
