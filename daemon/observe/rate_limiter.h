// SPDX-License-Identifier: Apache-2.0
//
// RateLimiter: how many lines about one user may be written a second, and which counts are still to
// be told. Its memory is fixed, and its work for a line bounded, however many users there are: one
// account may own 65,536 subordinate uids.
// Pure, time is passed in (and must not go back); not synchronized.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "observe/audit.h"

namespace proxyd {

class RateLimiter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Counts are told this long after the first line that was held back: "within a second".
  static constexpr std::chrono::milliseconds kTellAfter{900};
  // Users of whom something must be remembered at a time; users beyond share one allowance.
  static constexpr size_t kUsers = 2048;

  struct Suppressed {
    std::optional<uid_t> uid;              // none: users who shared the common allowance
    AuditEvent event = AuditEvent::kDeny;  // of the last line held back
    uint64_t lines = 0;
  };

  // 0: no limit. `seed` should be random: it keeps users from choosing whom they share a place
  // with.
  RateLimiter(uint32_t lines_per_second, uint64_t seed);

  // Whether a line about `uid` may be written now; if not, it was counted.
  bool Admit(uid_t uid, AuditEvent event, Time now);

  // When TakeSuppressed() next has something to tell.
  std::optional<Time> next_due() const;

  // A count that is due by `now`, which is then told and forgotten; none: nothing is due.
  std::optional<Suppressed> TakeSuppressed(Time now);

 private:
  // A token bucket that holds a second's worth, kept as the one instant at which it is full again.
  struct Bucket {
    Time full_at{};
    Time suppressed_since{};
    uint64_t suppressed = 0;
    uid_t uid = 0;
    AuditEvent event = AuditEvent::kDeny;
    bool used = false;
  };

  Bucket& Find(uid_t uid, Time now);

  std::chrono::nanoseconds line_cost_;  // 0: no limit
  uint64_t seed_;
  std::vector<Bucket> buckets_;    // kUsers in sets, and the common one last
  std::deque<size_t> suppressed_;  // indices into buckets_, by suppressed_since
};

}  // namespace proxyd
