// SPDX-License-Identifier: Apache-2.0
#include "observe/audit_queue.h"

#include <random>
#include <utility>

#include "observe/audit.h"
#include "observe/audit_line.h"

namespace proxyd {

namespace {

// A buffer that a burst made larger than this is freed when the queue is quiet again.
constexpr size_t kKeptBytes = size_t{256} << 10U;

uint64_t RandomSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32U) | device();
}

RateLimiter::Rates RatesOf(const AuditConfig& config) {
  return {.lines = config.rate_per_user, .bytes = config.bytes_per_user};
}

// Returns whether rate_per_user counts the record.
bool IsRefusal(const AuditRecord& record) {
  return record.event == AuditEvent::kRefuse || record.event == AuditEvent::kDeny ||
         record.enforced == false;
}

}  // namespace

void AuditBatch::Clear() {
  if (records.capacity() > kKeptBytes && records.size() < kKeptBytes / 4) {
    std::string().swap(records);
  }
  records.clear();
  count = 0;
}

AuditQueue::AuditQueue(const AuditConfig& config)
    : shares_(RandomSeed()), limiter_(RatesOf(config), RandomSeed()) {}

bool AuditQueue::Admit(const AuditRecord& record, Time now) {
  const auto counts =
      IsRefusal(record) ? RateLimiter::Counts::kLinesAndBytes : RateLimiter::Counts::kBytes;
  return record.carried_out || limiter_.Admit(record.uid, record.event, counts, now);
}

bool AuditQueue::Push(const Entry& entry, AuditReservation reservation, Time now) {
  const auto charged =
      entry.record.carried_out ? RateLimiter::Charged::kAnyway : RateLimiter::Charged::kAdmitted;
  limiter_.Charge(entry.record.uid, entry.line_size, charged, now);
  return Append(entry, std::move(reservation));
}

bool AuditQueue::Append(const Entry& entry, AuditReservation reservation) {
  if (!shares_.Queue(entry.record.uid, entry.line_size, std::move(reservation))) return false;
  waiting_.records.append(entry.packed);
  ++waiting_.count;
  return true;
}

std::optional<bool> AuditQueue::PushSuppressed(Time until,
                                               std::chrono::system_clock::time_point time) {
  const auto suppressed = limiter_.TakeSuppressed(until);
  if (!suppressed) return std::nullopt;
  AuditRecord record;
  record.event = suppressed->event;
  record.uid = suppressed->uid.value_or(static_cast<uid_t>(-1));
  record.suppressed = suppressed->lines;
  std::string packed;
  PackAuditRecord(record, time, &packed);
  return Append({.record = record, .packed = packed, .line_size = AuditLineSize(record)}, {});
}

void AuditQueue::SetRates(const AuditConfig& config) {
  limiter_ = RateLimiter(RatesOf(config), RandomSeed());
}

void AuditQueue::Take(AuditBatch* empty) {
  std::swap(waiting_, *empty);
  shares_.Release();
}

}  // namespace proxyd
