// SPDX-License-Identifier: Apache-2.0
//
// Accounting: what each user holds, over all workers and listeners, and the checks against
// [limits]. Any thread may use it. The path of a call takes no lock.
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
  // outlive the slot. `now` is the current time.
  std::variant<ConnectionSlot, Limit> Connect(uid_t uid, const ListenerConfig& listener,
                                              const LimitsConfig& limits, Clock::time_point now);

  // Returns whether all users together hold more memory than allowed.
  bool Overfull(const LimitsConfig& limits) const {
    return buffered_.load(std::memory_order_relaxed) > limits.buffered;
  }
  // Returns the memory limit that this user has reached, if any: the user's own, or the total,
  // which does not apply to root. While the total is exceeded, users who hold at least half as much
  // as the heaviest user and an eighth of the limit have reached it. Once it is exceeded by half,
  // every user has.
  std::optional<Limit> Buffered(const UserAccount& account, const LimitsConfig& limits) const;
  // Finds the user who holds most now. Until the next call, the most that any user has held counts.
  void FindHeaviest();

  // Usage: what a connected user holds. usage() is in the order of the uids.
  struct Usage {
    uid_t uid;
    uint32_t connections;
    uint32_t calls;
    uint64_t buffered;
  };
  std::vector<Usage> usage() const;
  // Returns the same in no order.
  std::vector<Usage> UnorderedUsage() const;
  // Returns the bytes of all users.
  uint64_t buffered() const { return buffered_.load(std::memory_order_relaxed); }

  size_t connections() const;
  size_t backend_connections() const;
  // Returns how many accounts exist. An account is deleted by the first new connection, of any
  // user, that comes a second or more after its user has left.
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
  size_t others_ = 0;  // connections of users other than root
  size_t backend_connections_ = 0;
  size_t others_backend_connections_ = 0;  // the same for users other than root
  std::unordered_map<uid_t, std::unique_ptr<UserAccount>> accounts_;
  // Users without connections, whose token bucket may not be full again yet; the one idle for
  // longest is first. A user who returns in time finds the same bucket.
  std::deque<uid_t> idle_;
};

}  // namespace proxyd
