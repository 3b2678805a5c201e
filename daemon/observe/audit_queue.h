// SPDX-License-Identifier: Apache-2.0
//
// AuditQueue: which lines are made, and those that wait to be written. A user is held to so many
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
#include "observe/audit_shares.h"
#include "observe/rate_limiter.h"

namespace proxyd {

struct AuditRecord;

// Whole lines, each with its newline.
struct AuditLines {
  std::string text;
  size_t count = 0;
  bool empty() const { return text.empty(); }
  // Gives back memory that only a burst needed.
  void Clear();
};

class AuditQueue {
 public:
  using Time = RateLimiter::Time;

  explicit AuditQueue(const AuditConfig& config);

  // Any thread: reservations for the lines of calls that are about to be forwarded.
  AuditShares& shares() { return shares_; }

  // Whether a line is to be made of this record; if not, it was counted. Asked before the line is
  // made, so that a flood of denials costs a look-up each.
  bool Admit(const AuditRecord& record, Time now);

  // A line of what was admitted. False: there is no room for it.
  bool Push(const AuditRecord& record, std::string_view line, AuditReservation reservation,
            Time now);

  // The line of a count that is due by `until`, of which false is said as above; none: nothing is
  // due. `time`: for the line.
  std::optional<bool> PushSuppressed(Time until, std::chrono::system_clock::time_point time);
  std::optional<Time> next_due() const { return limiter_.next_due(); }

  // The rates of this configuration from here on. What is counted must have been taken.
  void SetRates(const AuditConfig& config);

  const AuditLines& lines() const { return lines_; }
  // Exchanges what waits for `empty`.
  void Take(AuditLines* empty);

 private:
  bool Append(uid_t uid, std::string_view line, AuditReservation reservation);

  AuditShares shares_;
  RateLimiter limiter_;
  AuditLines lines_;
};

}  // namespace proxyd
