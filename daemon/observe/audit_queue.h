// SPDX-License-Identifier: Apache-2.0
//
// AuditQueue: which records are taken, and those that wait to be written. A user is held to so many
// lines and bytes a second (RateLimiter) and to a share of the queue's room (AuditShares), so that
// its memory is bounded and no user takes another's part.
// Not synchronized, but for shares().
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "observe/audit_record.h"
#include "observe/audit_shares.h"
#include "observe/rate_limiter.h"

namespace proxyd {

// Records that wait, packed.
struct AuditBatch {
  std::string records;
  size_t count = 0;
  bool empty() const { return records.empty(); }
  // Gives back memory that only a burst needed.
  void Clear();
};

class AuditQueue {
 public:
  using Time = RateLimiter::Time;

  explicit AuditQueue(const AuditConfig& config);

  // Any thread: reservations for the lines of calls that are about to be forwarded.
  AuditShares& shares() { return shares_; }

  // Whether this record is to be written; if not, it was counted. Asked before it is packed, so
  // that a flood of denials costs a look-up each.
  bool Admit(const AuditRecord& record, Time now);

  struct Entry {
    const AuditRecord& record;  // admitted
    std::string_view packed;
    size_t line_size;  // for which it counts
  };
  // Returns false if there is no room for it.
  bool Push(const Entry& entry, AuditReservation reservation, Time now);

  // Pushes the record of a count that is due by `until`, with this time. Returns what Push() does,
  // or nothing if no count is due.
  std::optional<bool> PushSuppressed(Time until, std::chrono::system_clock::time_point time);
  std::optional<Time> next_due() const { return limiter_.next_due(); }

  // The rates of this configuration from here on. What is counted must have been taken.
  void SetRates(const AuditConfig& config);

  const AuditBatch& waiting() const { return waiting_; }
  // Exchanges what waits for `empty`.
  void Take(AuditBatch* empty);

 private:
  bool Append(const Entry& entry, AuditReservation reservation);

  AuditShares shares_;
  RateLimiter limiter_;
  AuditBatch waiting_;
};

}  // namespace proxyd
