// SPDX-License-Identifier: Apache-2.0
#include "limits/accounting.h"

#include <algorithm>

#include "config/load.h"
#include "config/quantity.h"

namespace proxyd {

namespace {

constexpr uid_t kRoot = 0;

// Of `buffered`: a user who holds less is not why it is full, whoever else holds still less.
constexpr uint64_t kBystandersPart = 8;

std::string ValueOf(Limit limit, const LimitsConfig& limits) {
  switch (limit) {
    case Limit::kConnections:
      return std::to_string(limits.connections);
    case Limit::kConnectionsPerUser:
      return std::to_string(limits.connections_per_user);
    case Limit::kCallsPerConnection:
      return std::to_string(limits.calls_per_connection);
    case Limit::kCallsPerUser:
      return std::to_string(limits.calls_per_user);
    case Limit::kRequestsPerSecondPerUser:
      return std::to_string(limits.requests_per_second_per_user);
    case Limit::kBufferedPerUser:
      return FormatSize(limits.buffered_per_user);
    case Limit::kBuffered:
      return FormatSize(limits.buffered);
    case Limit::kBackendConnectionsPerUser:
      return std::to_string(limits.backend_connections_per_user);
    case Limit::kBackendConnections:
      break;  // see BackendLimitReached()
  }
  return {};
}

ttrpc::Status Reached(Limit limit, const std::string& value) {
  return {ttrpc::StatusCode::kResourceExhausted,
          "limit " + std::string(NameOf(limit)) + " = " + value + " reached"};
}

}  // namespace

std::string_view NameOf(Limit limit) {
  switch (limit) {
    case Limit::kConnections:
      return "connections";
    case Limit::kConnectionsPerUser:
      return "connections_per_user";
    case Limit::kCallsPerConnection:
      return "calls_per_connection";
    case Limit::kCallsPerUser:
      return "calls_per_user";
    case Limit::kRequestsPerSecondPerUser:
      return "requests_per_second_per_user";
    case Limit::kBufferedPerUser:
      return "buffered_per_user";
    case Limit::kBuffered:
      return "buffered";
    case Limit::kBackendConnectionsPerUser:
      return "backend_connections_per_user";
    case Limit::kBackendConnections:
      return "backend_connections";
  }
  return {};
}

ttrpc::Status LimitReached(Limit limit, const LimitsConfig& limits) {
  return Reached(limit, ValueOf(limit, limits));
}

BackendLimits BackendLimitsOf(const Config& config, uint64_t descriptors) {
  const auto in_all = static_cast<uint32_t>(
      std::min<uint64_t>(DescriptorsForBackends(config, descriptors), UINT32_MAX));
  return {.per_user = config.limits.backend_connections_per_user,
          .in_all = in_all,
          .reserved = std::min(config.limits.connections_reserved, in_all / 2)};
}

ttrpc::Status BackendLimitReached(Limit limit, const BackendLimits& limits) {
  const bool of_user = limit == Limit::kBackendConnectionsPerUser;
  return Reached(limit, std::to_string(of_user ? limits.per_user : limits.in_all));
}

// Calls.

void CallPlace::Leave() {
  if (account_ == nullptr) return;
  std::exchange(account_, nullptr)->calls_.fetch_sub(1, std::memory_order_relaxed);
}

bool UserAccount::TakeCall(uint32_t most, CallPlace* place) {
  if (calls_.fetch_add(1, std::memory_order_relaxed) >= most) {
    calls_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  *place = CallPlace(this);
  return true;
}

bool UserAccount::TakeRequest(uint32_t per_second, Clock::time_point now) {
  if (per_second == 0) return true;
  constexpr Clock::rep kSecond = std::chrono::nanoseconds(std::chrono::seconds(1)).count();
  const Clock::rep token = kSecond / per_second;
  const Clock::rep time = now.time_since_epoch().count();
  Clock::rep full_at = full_at_.load(std::memory_order_relaxed);
  for (;;) {
    const Clock::rep after = std::max(full_at, time) + token;
    if (after - time > kSecond) return false;
    if (full_at_.compare_exchange_weak(full_at, after, std::memory_order_relaxed)) return true;
  }
}

// Connections.

ConnectionPlace::~ConnectionPlace() {
  if (accounting_ == nullptr) return;
  buffered_.Set(0);
  accounting_->Disconnect(account_, listener_);
}

void BufferedPlace::Set(size_t bytes) {
  if (bytes == bytes_) return;
  // Unsigned: one that is less wraps around, twice.
  const uint64_t change = uint64_t{bytes} - bytes_;
  bytes_ = bytes;
  accounting_->buffered_.fetch_add(change, std::memory_order_relaxed);
  const uint64_t own = account_->buffered_.fetch_add(change, std::memory_order_relaxed) + change;
  if (account_->uid() == kRoot) return;
  auto& heaviest = accounting_->heaviest_;
  for (uint64_t was = heaviest.load(std::memory_order_relaxed);
       own > was && !heaviest.compare_exchange_weak(was, own, std::memory_order_relaxed);) {
  }
}

std::optional<Limit> Accounting::Buffered(const UserAccount& account,
                                          const LimitsConfig& limits) const {
  const uint64_t own = account.buffered();
  if (own > limits.buffered_per_user) return Limit::kBufferedPerUser;
  // Root is kept to its own limit alone: others cannot make it the one that goes.
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

std::variant<ConnectionPlace, Limit> Accounting::Connect(uid_t uid, const ListenerConfig& listener,
                                                         const LimitsConfig& limits,
                                                         Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  Forget(now);
  // Root's own connections are none of the others': they cannot keep each other out.
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
  // An account that was made for this is not empty: every limit is at least 1.
  if (*count >= most) return Limit::kConnectionsPerUser;
  ++*count;
  ++account->connections_;
  ++connections_;
  if (uid != kRoot) ++others_;
  return ConnectionPlace(this, account.get(), apart);
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

// Costs no more than what it forgets: each user stands there once.
void Accounting::Forget(Clock::time_point now) {
  while (!idle_.empty()) {
    const auto found = accounts_.find(idle_.front());
    UserAccount& account = *found->second;
    const bool connected = account.connections_ > 0;
    if (!connected && account.full_at_.load() > now.time_since_epoch().count()) return;
    account.idle_ = false;
    if (!connected) accounts_.erase(found);
    idle_.pop_front();
  }
}

// Connections to backends.

void BackendPlace::Leave() {
  if (accounting_ != nullptr) std::exchange(accounting_, nullptr)->LeaveBackend(account_);
}

std::optional<Limit> ConnectionPlace::TakeBackend(const BackendLimits& limits,
                                                  BackendPlace* place) const {
  if (const auto limit = accounting_->TakeBackend(account_, limits)) return limit;
  *place = BackendPlace(accounting_, account_);
  return std::nullopt;
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

void Accounting::LeaveBackend(UserAccount* account) {
  const std::lock_guard lock(mutex_);
  --account->backend_connections_;
  --backend_connections_;
  if (account->uid() != kRoot) --others_backend_connections_;
}

std::vector<Accounting::Usage> Accounting::usage() const {
  std::vector<Usage> users;
  {
    const std::lock_guard lock(mutex_);
    users.reserve(accounts_.size());
    for (const auto& [uid, account] : accounts_) {
      if (account->connections_ == 0) continue;
      users.push_back({.uid = uid,
                       .connections = account->connections_,
                       .calls = account->calls(),
                       .buffered = account->buffered()});
    }
  }
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
