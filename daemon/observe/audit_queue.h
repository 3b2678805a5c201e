// SPDX-License-Identifier: Apache-2.0
//
// AuditQueue: decides which records are taken, and holds them until they are written. Each user is
// limited to some lines and bytes a second (RateLimiter) and to a share of the queue's room
// (AuditShares). The queue's memory is therefore bounded, and no user takes another's part. It is
// not synchronized, except for shares().
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

// Packed records that wait to be written.
struct AuditBatch {
  std::string records;
  size_t count = 0;
  bool empty() const { return records.empty(); }
  // Also frees memory that only a burst needed.
  void Clear();
};

class AuditQueue {
 public:
  using Time = RateLimiter::Time;

  explicit AuditQueue(const AuditConfig& config);

  // Reserves room for the lines of calls that are about to be forwarded. Any thread may use it.
  AuditShares& shares() { return shares_; }

  // Returns whether to write this record; if not, counts it. It is called before the record is
  // packed, so that a flood of denials costs one look-up each.
  bool Admit(const AuditRecord& record, Time now);

  struct Entry {
    const AuditRecord& record;  // must have been admitted
    std::string_view packed;
    size_t line_size;  // counts towards the limits
  };
  // Returns false if there is no room.
  bool Push(const Entry& entry, AuditReservation reservation, Time now);

  // Pushes the record of a count of suppressed lines that is due by `until`; `time` is its time.
  // Returns the result of Push(), or none if no count is due.
  std::optional<bool> PushSuppressed(Time until, std::chrono::system_clock::time_point time);
  std::optional<Time> next_due() const { return limiter_.next_due(); }

  // Applies the rates of this configuration. All counts must have been taken before.
  void SetRates(const AuditConfig& config);

  const AuditBatch& waiting() const { return waiting_; }
  // Exchanges the waiting records for `empty`.
  void Take(AuditBatch* empty);

 private:
  bool Append(const Entry& entry, AuditReservation reservation);

  AuditShares shares_;
  RateLimiter limiter_;
  AuditBatch waiting_;
};

}  // namespace proxyd
