// SPDX-License-Identifier: Apache-2.0
#include "limits/accounting.h"

#include <algorithm>

namespace proxyd {

namespace {

// A user who holds less than this part of `buffered` is not the cause, even if all others hold
// less.
constexpr uint64_t kBystandersPart = 8;

}  // namespace

std::optional<Limit> Accounting::Buffered(const UserAccount& account,
                                          const LimitsConfig& limits) const {
  const uint64_t own = account.buffered();
  if (own > limits.buffered_per_user) return Limit::kBufferedPerUser;
  // Only root's own limit applies to root, so that others cannot get its connections closed.
  if (account.uid() == kRoot) return std::nullopt;
  if (!Overfull(limits)) return std::nullopt;
  if (buffered() > limits.buffered + limits.buffered / 2) return Limit::kBuffered;
  if (own < limits.buffered / kBystandersPart) return std::nullopt;
  if (own < heaviest_.load(std::memory_order_relaxed) / 2) return std::nullopt;
  return Limit::kBuffered;
}

void Accounting::FindHeaviest() {
  const std::lock_guard lock(mutex_);
  uint64_t heaviest = 0;
  for (const auto& [uid, account] : accounts_) {
    if (uid != kRoot) heaviest = std::max(heaviest, account->buffered());
  }
  heaviest_.store(heaviest, std::memory_order_relaxed);
}

std::variant<ConnectionSlot, Limit> Accounting::Connect(uid_t uid, const ListenerConfig& listener,
                                                        const LimitsConfig& limits,
                                                        Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  Forget(now);
  // Root and the other users cannot lock each other out: the others cannot use root's connections.
  const bool full = connections_ >= limits.connections ||
                    (uid != kRoot && others_ >= limits.connections - limits.connections_reserved);
  if (full) return Limit::kConnections;

  auto& account = accounts_[uid];
  if (!account) account = std::make_unique<UserAccount>(uid);
  uint32_t* count = &account->shared_;
  uint32_t most = limits.connections_per_user;
  const std::string* apart = nullptr;
  if (listener.connections_per_user) {
    const auto found = account->apart_.try_emplace(ToString(listener.address), 0U).first;
    apart = &found->first;
    count = &found->second;
    most = *listener.connections_per_user;
  }
  // A new account never stays empty, since every limit is at least 1.
  if (*count >= most) return Limit::kConnectionsPerUser;
  ++*count;
  ++account->connections_;
  ++connections_;
  if (uid != kRoot) ++others_;
  return ConnectionSlot(this, account.get(), apart);
}

void Accounting::Disconnect(UserAccount* account, const std::string* listener) {
  const std::lock_guard lock(mutex_);
  --connections_;
  if (account->uid() != kRoot) --others_;
  if (listener == nullptr) {
    --account->shared_;
  } else if (const auto found = account->apart_.find(*listener); --found->second == 0) {
    account->apart_.erase(found);
  }
  if (--account->connections_ > 0 || account->idle_) return;
  account->idle_ = true;
  idle_.push_back(account->uid());
}

// The cost is proportional to what is deleted, since each user is in `idle_` at most once.
void Accounting::Forget(Clock::time_point now) {
  while (!idle_.empty()) {
    const auto found = accounts_.find(idle_.front());
    UserAccount& account = *found->second;
    const bool connected = account.connections_ > 0;
    if (!connected && !account.requests_.IsFull(now)) return;
    account.idle_ = false;
    if (!connected) accounts_.erase(found);
    idle_.pop_front();
  }
}

std::optional<Limit> Accounting::TakeBackend(UserAccount* account, const BackendLimits& limits) {
  const std::lock_guard lock(mutex_);
  if (account->backend_connections_ >= limits.per_user) return Limit::kBackendConnectionsPerUser;
  const bool root = account->uid() == kRoot;
  if (backend_connections_ >= limits.in_all ||
      (!root && others_backend_connections_ >= limits.in_all - limits.reserved)) {
    return Limit::kBackendConnections;
  }
  ++account->backend_connections_;
  ++backend_connections_;
  if (!root) ++others_backend_connections_;
  return std::nullopt;
}

void Accounting::ReleaseBackend(UserAccount* account) {
  const std::lock_guard lock(mutex_);
  --account->backend_connections_;
  --backend_connections_;
  if (account->uid() != kRoot) --others_backend_connections_;
}

std::vector<Accounting::Usage> Accounting::UnorderedUsage() const {
  std::vector<Usage> users;
  const std::lock_guard lock(mutex_);
  users.reserve(accounts_.size());
  for (const auto& [uid, account] : accounts_) {
    if (account->connections_ == 0) continue;
    users.push_back({.uid = uid,
                     .connections = account->connections_,
                     .calls = account->calls(),
                     .buffered = account->buffered()});
  }
  return users;
}

std::vector<Accounting::Usage> Accounting::usage() const {
  std::vector<Usage> users = UnorderedUsage();
  std::sort(users.begin(), users.end(),
            [](const Usage& a, const Usage& b) { return a.uid < b.uid; });
  return users;
}

size_t Accounting::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

size_t Accounting::backend_connections() const {
  const std::lock_guard lock(mutex_);
  return backend_connections_;
}

size_t Accounting::accounts() const {
  const std::lock_guard lock(mutex_);
  return accounts_.size();
}

}  // namespace proxyd
