// SPDX-License-Identifier: Apache-2.0
//
// UserAccount: what one user holds at the moment. Any thread may change the calls, the memory and
// the rate, without a lock. The rest belongs to Accounting, under its mutex.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "limits/slots.h"
#include "limits/token_bucket.h"

namespace proxyd {

// Accounting owns the accounts. A user's account lives at least as long as any of its connections.
class UserAccount {
 public:
  using Clock = TokenBucket::Clock;

  explicit UserAccount(uid_t uid) : uid_(uid) {}
  UserAccount(const UserAccount&) = delete;
  UserAccount& operator=(const UserAccount&) = delete;

  uid_t uid() const { return uid_; }

  // Returns false if `most` calls of the user are in flight.
  bool TakeCall(uint32_t most, CallSlot* slot) {
    if (calls_.fetch_add(1, std::memory_order_relaxed) >= most) {
      calls_.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    *slot = CallSlot(this);
    return true;
  }
  // Returns false if the user has used up its rate. A rate of 0 means no limit.
  bool TakeRequest(uint32_t per_second, Clock::time_point now) {
    return requests_.Take(per_second, now);
  }

  uint32_t calls() const { return calls_.load(std::memory_order_relaxed); }
  uint64_t buffered() const { return buffered_.load(std::memory_order_relaxed); }

 private:
  friend class Accounting;
  friend class CallSlot;
  friend class MemoryCharge;

  const uid_t uid_;
  std::atomic<uint32_t> calls_{0};
  std::atomic<uint64_t> buffered_{0};
  TokenBucket requests_;

  // The mutex of Accounting guards the members below.
  uint32_t connections_ = 0;  // in all
  uint32_t shared_ = 0;       // those that [limits] connections_per_user counts
  uint32_t backend_connections_ = 0;
  // The connections of each listener that has a limit of its own. The key is the listener's
  // address, since a reload may rename a listener and keeps its peers.
  std::map<std::string, uint32_t, std::less<>> apart_;
  bool idle_ = false;  // whether it is in Accounting::idle_
};

}  // namespace proxyd
