// SPDX-License-Identifier: Apache-2.0
//
// RateLimiter: how many lines and bytes about one user may be written a second, and which counts
// are still to be told. Its memory is fixed, and its work for a line bounded, however many users
// there are: one account may own 65,536 subordinate uids.
// Pure, time is passed in (and must not go back); not synchronized.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "observe/audit.h"
#include "observe/user_sets.h"

namespace proxyd {

class RateLimiter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Counts are told this long after the first line that was held back: "within a second".
  static constexpr std::chrono::milliseconds kTellAfter{900};
  // A user's line is made only while at least so much is left to it, or a second's worth if that
  // is less.
  static constexpr size_t kLeastBytes = 256;

  struct Rates {  // a second, for each user; 0: no limit
    uint32_t lines = 0;
    uint64_t bytes = 0;
  };
  enum class Counts { kBytes, kLinesAndBytes };
  enum class Charged { kAdmitted, kAnyway };

  struct Suppressed {
    std::optional<uid_t> uid;              // none: users who shared the common allowance
    AuditEvent event = AuditEvent::kDeny;  // of the last line held back
    uint64_t lines = 0;
  };

  // `seed` should be random: it keeps users from choosing whom they share a slot with.
  RateLimiter(const Rates& rates, uint64_t seed);

  // Whether a line about `uid` may be written now; if not, it was counted.
  bool Admit(uid_t uid, AuditEvent event, Counts counts, Time now);
  // A line that is written takes up so many bytes. One that was admitted may take more than was
  // left, which is then owed; one that nobody asked about takes what is left at most.
  void Charge(uid_t uid, size_t bytes, Charged charged, Time now);

  // When TakeSuppressed() next has something to tell.
  std::optional<Time> next_due() const;

  // A count that is due by `now`, which is then told and forgotten; none: nothing is due.
  std::optional<Suppressed> TakeSuppressed(Time now);

 private:
  // Two token buckets that hold a second's worth, each kept as the instant at which it is full
  // again.
  struct Bucket {
    Time lines_full_at{};
    Time bytes_full_at{};
    Time suppressed_since{};
    uint64_t suppressed = 0;
    uid_t uid = 0;
    AuditEvent event = AuditEvent::kDeny;
    bool used = false;
  };

  Bucket& Find(uid_t uid, Time now);
  std::chrono::nanoseconds CostOf(size_t bytes) const;

  std::chrono::nanoseconds line_cost_;  // 0: no limit
  uint64_t bytes_per_second_;           // the same
  std::chrono::nanoseconds least_bytes_;
  uint64_t seed_;
  std::vector<Bucket> buckets_;    // by slot, see user_sets.h
  std::deque<size_t> suppressed_;  // indices into buckets_, by suppressed_since
};

}  // namespace proxyd
