// SPDX-License-Identifier: Apache-2.0
#include "proxy/pressure.h"

#include <chrono>

#include "proxy/peer.h"

namespace proxyd {

namespace {

constexpr auto kBetweenLooks = std::chrono::milliseconds(100);
// A second, for what is held to be written.
constexpr int kPatientLooks = 10;

// Of buffered_per_user: a peer that holds less is left alone while others hold more.
constexpr uint64_t kLightPart = 64;

}  // namespace

Pressure::Pressure(ttrpc::IoLoop& loop, Accounting& accounting, const LimitsConfig& limits,
                   std::list<Peer>& peers)
    : accounting_(accounting), limits_(limits), peers_(peers), timer_(loop, [this] { Look(); }) {}

void Pressure::OnGrowth(Peer& peer) {
  const UserAccount& account = peer.account();
  if (account.buffered() <= limits_.buffered_per_user && !accounting_.Overfull(limits_)) return;
  if (!timer_.active()) timer_.Start(kBetweenLooks);
  const auto limit = accounting_.Buffered(account, limits_);
  if (!limit) return;
  // Twice the limit is not for waiting: other peers of the user may all be about to grow.
  LimitsConfig twice = limits_;
  twice.buffered_per_user *= 2;
  twice.buffered *= 2;
  if (accounting_.Buffered(account, twice)) return CloseHeaviest(account, *limit);
  if (!IsLight(peer)) peer.HoldUp(true);
}

// Who reads what is sent to it holds little, and is not to suffer for its user's other peers.
bool Pressure::IsLight(const Peer& peer) const {
  return peer.held() < limits_.buffered_per_user / kLightPart;
}

void Pressure::CloseHeaviest(const UserAccount& account, Limit limit) {
  Peer* heaviest = nullptr;
  for (Peer& peer : peers_) {
    if (&peer.account() != &account) continue;
    if (heaviest == nullptr || peer.held() > heaviest->held()) heaviest = &peer;
  }
  if (heaviest != nullptr) heaviest->CloseForLimit(limit);
}

void Pressure::Look() {
  accounting_.FindHeaviest();
  bool again = accounting_.Overfull(limits_);
  for (auto next = peers_.begin(); next != peers_.end();) {
    Peer& peer = *next++;  // it may leave the list
    const auto limit = accounting_.Buffered(peer.account(), limits_);
    if (!limit || IsLight(peer)) {
      peer.HoldUp(false);
      continue;
    }
    again = true;
    peer.HoldUp(true);
    if (peer.CountLook() > kPatientLooks) peer.CloseForLimit(*limit);
  }
  if (again) timer_.Start(kBetweenLooks);
}

}  // namespace proxyd
