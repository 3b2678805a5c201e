// SPDX-License-Identifier: Apache-2.0
#include "proxy/pressure.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "proxy/peer.h"
#include "proxy/pressure_plan.h"

namespace proxyd {

namespace {

constexpr auto kBetweenLooks = std::chrono::milliseconds(100);

// A peer that holds less than this part of buffered_per_user holds little.
constexpr uint64_t kLightPart = 64;

// The memory at which peers are closed at once: a quarter, or one message, above the limit.
uint64_t WithSlack(uint64_t limit, const LimitsConfig& limits) {
  return limit + std::max<uint64_t>(limit / 4, limits.message_size);
}

// Returns how far `held` exceeds `limit`, or 0 if it does not exceed `from`.
uint64_t Excess(uint64_t held, uint64_t limit, uint64_t from) {
  return held > from ? held - limit : 0;
}

}  // namespace

Pressure::Pressure(ttrpc::IoLoop& loop, Accounting& accounting, const LimitsConfig& limits,
                   std::list<Peer>& peers)
    : loop_(loop), accounting_(accounting), limits_(limits), peers_(peers), timer_(loop, [this] {
        Look();
      }) {}

void Pressure::OnGrowth(Peer& peer) {
  const UserAccount& account = peer.account();
  if (account.buffered() <= limits_.buffered_per_user && !accounting_.Overfull(limits_)) return;
  // Must come first, since the rest may destroy the peer.
  if (accounting_.Buffered(account, limits_)) peer.HoldUp(true);
  OnGrowth(account);
}

void Pressure::OnGrowth(const UserAccount& account) {
  if (account.buffered() <= limits_.buffered_per_user && !accounting_.Overfull(limits_)) return;
  if (!timer_.active()) {
    accounting_.FindHeaviest();
    looks_.fill(0);
    timer_.Start(kBetweenLooks);
  }
  if (accounting_.Buffered(account, limits_)) {
    held_up_.insert(account.uid());
    loop_.HoldGroup(account.uid());
  }
  // This cannot wait for the timer: all other peers may be about to grow too.
  if (in_vain_ || !TooMuch(account)) return;
  Close(kAnyone);
  in_vain_ = TooMuch(account);
}

bool Pressure::TooMuch(const UserAccount& account) const {
  return account.buffered() > WithSlack(limits_.buffered_per_user, limits_) ||
         accounting_.buffered() > WithSlack(limits_.buffered, limits_);
}

void Pressure::Close(uint64_t stuck_before) {
  const bool at_once = stuck_before == kAnyone;
  const uint64_t per_user = limits_.buffered_per_user;
  const uint64_t user_from = at_once ? WithSlack(per_user, limits_) : per_user;
  const uint64_t from = at_once ? WithSlack(limits_.buffered, limits_) : limits_.buffered;
  std::vector<PressedUser> users;
  std::unordered_map<const UserAccount*, size_t> index;
  std::vector<PressedPeer> pressed;
  std::vector<Peer*> peers;
  for (Peer& peer : peers_) {
    if (peer.held() == 0) continue;
    const UserAccount& account = peer.account();
    const auto [user, added] = index.emplace(&account, users.size());
    if (added) {
      users.push_back({.excess = Excess(account.buffered(), per_user, user_from),
                       .over = accounting_.Buffered(account, limits_),
                       .root = account.uid() == 0});
    }
    pressed.push_back({.user = user->second,
                       .held = peer.held(),
                       .stuck_since = peer.stuck_since().value_or(PressedPeer::kMoving)});
    peers.push_back(&peer);
  }
  const auto closings =
      WhomToClose({.users = users,
                   .peers = pressed,
                   .excess = Excess(accounting_.buffered(), limits_.buffered, from),
                   .light_below = per_user / kLightPart,
                   .stuck_before = stuck_before});
  // None of the peers is destroyed before this wake-up's callbacks have returned.
  for (const PressureClosing& closing : closings) peers[closing.peer]->CloseForLimit(closing.limit);
}

void Pressure::Look() {
  in_vain_ = false;
  accounting_.FindHeaviest();
  // Now() also numbers this wake-up, as a side effect.
  loop_.Now();
  const uint64_t patient = std::exchange(looks_[next_look_], loop_.wake_up());
  next_look_ = (next_look_ + 1) % kPatientLooks;
  Close(patient);
  Release();
  if (!held_up_.empty() || accounting_.Overfull(limits_)) timer_.Start(kBetweenLooks);
}

void Pressure::Release() {
  std::set<uid_t> stay;
  for (Peer& peer : peers_) {
    const UserAccount& account = peer.account();
    if (!held_up_.contains(account.uid())) continue;
    if (accounting_.Buffered(account, limits_)) {
      stay.insert(account.uid());
    } else {
      peer.HoldUp(false);
    }
  }
  for (const uid_t uid : held_up_) {
    if (!stay.contains(uid)) loop_.ReleaseGroup(uid);
  }
  held_up_ = std::move(stay);
}

}  // namespace proxyd
