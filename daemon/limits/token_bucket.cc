// SPDX-License-Identifier: Apache-2.0
#include "limits/token_bucket.h"

#include <algorithm>

namespace proxyd {

bool TokenBucket::Take(uint32_t per_second, Clock::time_point now) {
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

}  // namespace proxyd
