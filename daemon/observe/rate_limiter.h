// SPDX-License-Identifier: Apache-2.0
//
// RateLimiter: limits how many lines and bytes about each user are written a second, and counts the
// suppressed lines. Its memory is fixed and its work for a line bounded, whatever the number of
// users: one account may own 65,536 subordinate uids. It is pure: time is passed in, and must not
// go back. It is not synchronized.
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

  // Counts are reported this long after the first suppressed line: "within a second".
  static constexpr std::chrono::milliseconds kTellAfter{900};
  // A line is admitted only while its user has this many bytes left, or a second's worth if that is
  // less.
  static constexpr size_t kLeastBytes = 256;

  struct Rates {  // a second, for each user; 0 means no limit
    uint32_t lines = 0;
    uint64_t bytes = 0;
  };
  enum class Counts { kBytes, kLinesAndBytes };
  enum class Charged { kAdmitted, kAnyway };

  struct Suppressed {
    std::optional<uid_t> uid;              // none for users who share the common bucket
    AuditEvent event = AuditEvent::kDeny;  // the event of the last suppressed line
    uint64_t lines = 0;
  };

  // `seed` should be random, so that users cannot choose whom they share a slot with.
  RateLimiter(const Rates& rates, uint64_t seed);

  // Returns whether a line about `uid` may be written now; if not, counts it.
  bool Admit(uid_t uid, AuditEvent event, Counts counts, Time now);
  // Charges the bytes of a written line. A line that was admitted may take more than was left, as a
  // debt. A line that did not need admission takes at most what was left.
  void Charge(uid_t uid, size_t bytes, Charged charged, Time now);

  // Returns when TakeSuppressed() will next return a count.
  std::optional<Time> next_due() const;

  // Returns and clears a count that is due by `now`; none if no count is due.
  std::optional<Suppressed> TakeSuppressed(Time now);

 private:
  // Two token buckets for a second's worth each. A bucket is stored as the time when it will be
  // full again.
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
  uint64_t bytes_per_second_;           // 0: no limit
  std::chrono::nanoseconds least_bytes_;
  uint64_t seed_;
  std::vector<Bucket> buckets_;    // by slot, see user_sets.h
  std::deque<size_t> suppressed_;  // indices into buckets_, by suppressed_since
};

}  // namespace proxyd
