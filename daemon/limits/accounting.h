// SPDX-License-Identifier: Apache-2.0
//
// Accounting: what each user has, over all workers and listeners, held against [limits]. Any
// thread; the path of a call takes no lock.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "config/config.h"
#include "limits/limit.h"
#include "limits/slots.h"
#include "limits/user_account.h"

namespace proxyd {

class Accounting {
 public:
  using Clock = UserAccount::Clock;

  Accounting() = default;
  Accounting(const Accounting&) = delete;
  Accounting& operator=(const Accounting&) = delete;

  // Takes a slot for a new connection, or returns the limit that is reached. The accounting must
  // outlive the slot. `now` is the time of the calling thread.
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
  // Finds out who holds most now. Until the next call, the most that any user has held counts.
  void FindHeaviest();

  // What each connected user has, in order of uid.
  struct Usage {
    uid_t uid;
    uint32_t connections;
    uint32_t calls;
    uint64_t buffered;
  };
  std::vector<Usage> usage() const;
  // The same in no order.
  std::vector<Usage> UnorderedUsage() const;
  // The bytes of all users.
  uint64_t buffered() const { return buffered_.load(std::memory_order_relaxed); }

  size_t connections() const;
  size_t backend_connections() const;
  // How many accounts are kept. The first connection, of anybody, a second or more after a user has
  // left, forgets that user's.
  size_t accounts() const;

 private:
  static constexpr uid_t kRoot = 0;

  friend class BackendSlot;
  friend class MemoryCharge;
  friend class ConnectionSlot;

  std::optional<Limit> TakeBackend(UserAccount* account, const BackendLimits& limits);
  void ReleaseBackend(UserAccount* account);
  void Disconnect(UserAccount* account, const std::string* listener);
  void Forget(Clock::time_point now);

  std::atomic<uint64_t> buffered_{0};
  std::atomic<uint64_t> heaviest_{0};  // the most bytes of any user but root
  mutable std::mutex mutex_;
  size_t connections_ = 0;
  size_t others_ = 0;  // of these, not root's
  size_t backend_connections_ = 0;
  size_t others_backend_connections_ = 0;  // of these, not root's
  std::unordered_map<uid_t, std::unique_ptr<UserAccount>> accounts_;
  // Users without a connection, whose token bucket may not be full again; the first has been idle
  // for longest. A user who comes back in time finds the bucket as it was.
  std::deque<uid_t> idle_;
};

}  // namespace proxyd
