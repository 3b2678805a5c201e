// SPDX-License-Identifier: Apache-2.0
//
// TokenBucket: a rate limit with room for one second's worth of tokens. A new bucket is full. Any
// thread may use it; it takes no lock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace proxyd {

class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;

  // Takes a token, or returns false if there is none. The rate may change from call to call, as a
  // reload does it. With a rate of 0 every call succeeds.
  bool Take(uint32_t per_second, Clock::time_point now);

  bool IsFull(Clock::time_point now) const {
    return full_at_.load(std::memory_order_relaxed) <= now.time_since_epoch().count();
  }

 private:
  // The time at which the bucket will be full again. It is full if that time has passed.
  std::atomic<Clock::rep> full_at_{0};
};

}  // namespace proxyd
