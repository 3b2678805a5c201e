// SPDX-License-Identifier: Apache-2.0
//
// Accounting: what each user has, over all workers and listeners, held against [limits]. A place is
// taken when something begins and given back by its destructor, so that nothing is counted for
// longer than it lives. Any thread; the path of a call takes no lock.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "config/config.h"
#include "ttrpc/status.h"

namespace proxyd {

enum class Limit {
  kConnections,
  kConnectionsPerUser,
  kCallsPerConnection,
  kCallsPerUser,
  kRequestsPerSecondPerUser,
  kBufferedPerUser,
  kBuffered,
  kBackendConnectionsPerUser,
  kBackendConnections,  // no key: what the descriptors leave
};
inline constexpr size_t kLimits = 9;

// As the configuration calls it; lives for ever.
std::string_view NameOf(Limit limit);

// RESOURCE_EXHAUSTED `limit calls_per_user = 4096 reached`.
ttrpc::Status LimitReached(Limit limit, const LimitsConfig& limits);

// What connections to backends are held against.
struct BackendLimits {
  uint32_t per_user = UINT32_MAX;
  uint32_t in_all = UINT32_MAX;
  uint32_t reserved = 0;  // of these, kept for root; always less
};
// `descriptors`: RLIMIT_NOFILE.
BackendLimits BackendLimitsOf(const Config& config, uint64_t descriptors);
// As LimitReached(), for the two limits that stand there.
ttrpc::Status BackendLimitReached(Limit limit, const BackendLimits& limits);

class Accounting;
class UserAccount;

// One call in flight of a user. Empty, or to be given back on the thread that has it.
class CallSlot {
 public:
  CallSlot() = default;
  CallSlot(CallSlot&& other) noexcept : account_(std::exchange(other.account_, nullptr)) {}
  CallSlot& operator=(CallSlot&& other) noexcept {
    Release();
    account_ = std::exchange(other.account_, nullptr);
    return *this;
  }
  ~CallSlot() { Release(); }

  void Release();

 private:
  friend class UserAccount;
  explicit CallSlot(UserAccount* account) : account_(account) {}

  UserAccount* account_ = nullptr;
};

// One connection of a user to a backend, from when it is dialled until it is closed. Empty, or to
// be given back before the user's last connection.
class BackendSlot {
 public:
  BackendSlot() = default;
  BackendSlot(BackendSlot&& other) noexcept
      : accounting_(std::exchange(other.accounting_, nullptr)), account_(other.account_) {}
  BackendSlot& operator=(BackendSlot&& other) noexcept {
    Release();
    accounting_ = std::exchange(other.accounting_, nullptr);
    account_ = other.account_;
    return *this;
  }
  ~BackendSlot() { Release(); }

  void Release();

 private:
  friend class ConnectionSlot;
  BackendSlot(Accounting* accounting, UserAccount* account)
      : accounting_(accounting), account_(account) {}

  Accounting* accounting_ = nullptr;
  UserAccount* account_ = nullptr;
};

// What one user has. Lives as long as any of its connections.
class UserAccount {
 public:
  using Clock = std::chrono::steady_clock;

  explicit UserAccount(uid_t uid) : uid_(uid) {}
  UserAccount(const UserAccount&) = delete;
  UserAccount& operator=(const UserAccount&) = delete;

  uid_t uid() const { return uid_; }

  // False: `most` calls of the user are in flight.
  bool TakeCall(uint32_t most, CallSlot* place);
  // A token bucket with room for a second's worth, full at first. False: it is empty. 0: no limit.
  bool TakeRequest(uint32_t per_second, Clock::time_point now);

  uint32_t calls() const { return calls_.load(std::memory_order_relaxed); }
  uint64_t buffered() const { return buffered_.load(std::memory_order_relaxed); }

 private:
  friend class Accounting;
  friend class MemoryCharge;
  friend class CallSlot;
  friend class ConnectionSlot;

  const uid_t uid_;
  std::atomic<uint32_t> calls_{0};
  std::atomic<uint64_t> buffered_{0};
  // When the bucket will be full again; before now: it is.
  std::atomic<Clock::rep> full_at_{0};
  // The rest under the mutex of Accounting.
  uint32_t connections_ = 0;  // in all
  uint32_t shared_ = 0;       // of these, those that [limits] connections_per_user counts
  uint32_t backend_connections_ = 0;
  // By address, since that is what a reload leaves to a listener's peers: those that it counts
  // itself.
  std::map<std::string, uint32_t, std::less<>> apart_;
  bool idle_ = false;  // stands in Accounting::idle_
};

// Memory that a user takes up. The account must outlive it.
class MemoryCharge {
 public:
  MemoryCharge(MemoryCharge&& other) noexcept
      : accounting_(other.accounting_),
        account_(other.account_),
        bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryCharge& operator=(MemoryCharge&&) = delete;
  ~MemoryCharge() { Set(0); }

  // How many bytes it is now.
  void Set(size_t bytes);
  size_t bytes() const { return bytes_; }
  const UserAccount& account() const { return *account_; }

 private:
  friend class ConnectionSlot;
  MemoryCharge(Accounting* accounting, UserAccount* account)
      : accounting_(accounting), account_(account) {}

  Accounting* accounting_;
  UserAccount* account_;
  size_t bytes_ = 0;
};

// One connection of a user.
class ConnectionSlot {
 public:
  ConnectionSlot(ConnectionSlot&& other) noexcept
      : accounting_(std::exchange(other.accounting_, nullptr)),
        account_(other.account_),
        listener_(other.listener_),
        buffered_(std::move(other.buffered_)) {}
  ConnectionSlot& operator=(ConnectionSlot&&) = delete;
  ~ConnectionSlot();

  UserAccount& account() const { return *account_; }

  // How many bytes of memory the connection takes up now.
  void SetBuffered(size_t bytes) { buffered_.Set(bytes); }
  size_t buffered() const { return buffered_.bytes(); }
  // For memory that is the user's and not this connection's alone; it must go before the user's
  // last connection.
  MemoryCharge NewCharge() const { return {accounting_, account_}; }
  // For a connection to a backend that the user needs; or the limit that is reached.
  std::optional<Limit> TakeBackend(const BackendLimits& limits, BackendSlot* place) const;

 private:
  friend class Accounting;
  ConnectionSlot(Accounting* accounting, UserAccount* account, const std::string* listener)
      : accounting_(accounting),
        account_(account),
        listener_(listener),
        buffered_(accounting, account) {}

  Accounting* accounting_;
  UserAccount* account_;
  const std::string* listener_;  // that counts it itself (a key of the account's map), or null
  MemoryCharge buffered_;
};

class Accounting {
 public:
  using Clock = UserAccount::Clock;

  Accounting() = default;
  Accounting(const Accounting&) = delete;
  Accounting& operator=(const Accounting&) = delete;

  // Must outlive the place. `now`: of the calling thread's clock.
  std::variant<ConnectionSlot, Limit> Connect(uid_t uid, const ListenerConfig& listener,
                                              const LimitsConfig& limits, Clock::time_point now);

  // All users together hold more memory than they may.
  bool Overfull(const LimitsConfig& limits) const {
    return buffered_.load(std::memory_order_relaxed) > limits.buffered;
  }
  // The limit of memory that this user has reached, if any: its own; or that of all, for users
  // other than root. It is reached by those who hold at least half as much as the heaviest and an
  // eighth of it; once there is half as much again, by everybody.
  std::optional<Limit> Buffered(const UserAccount& account, const LimitsConfig& limits) const;
  // Until then, the heaviest is who ever was.
  void FindHeaviest();

  // What each user has who is connected, by uid.
  struct Usage {
    uid_t uid;
    uint32_t connections;
    uint32_t calls;
    uint64_t buffered;
  };
  std::vector<Usage> usage() const;
  // Bytes, of all of them.
  uint64_t buffered() const { return buffered_.load(std::memory_order_relaxed); }

  size_t connections() const;
  size_t backend_connections() const;
  // Accounts that are kept: of the users who are connected, and, for a second, who were.
  size_t accounts() const;

 private:
  friend class BackendSlot;
  friend class MemoryCharge;
  friend class ConnectionSlot;

  std::optional<Limit> TakeBackend(UserAccount* account, const BackendLimits& limits);
  void LeaveBackend(UserAccount* account);
  void Disconnect(UserAccount* account, const std::string* listener);
  void Forget(Clock::time_point now);

  std::atomic<uint64_t> buffered_{0};
  std::atomic<uint64_t> heaviest_{0};  // what it holds
  mutable std::mutex mutex_;
  size_t connections_ = 0;
  size_t others_ = 0;  // of these, not root's
  size_t backend_connections_ = 0;
  size_t others_backend_connections_ = 0;  // of these, not root's
  std::unordered_map<uid_t, std::unique_ptr<UserAccount>> accounts_;
  // Users without a connection, longest first, whose bucket may not be full again: who comes back
  // finds it as it was.
  std::deque<uid_t> idle_;
};

}  // namespace proxyd
