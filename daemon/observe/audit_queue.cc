// SPDX-License-Identifier: Apache-2.0
#include "observe/audit_queue.h"

#include <random>
#include <utility>

#include "observe/audit.h"
#include "observe/audit_line.h"

namespace proxyd {

namespace {

// A buffer that a burst made larger than this is given back when things are quiet again.
constexpr size_t kKeptBytes = size_t{256} << 10U;

uint64_t RandomSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32U) | device();
}

RateLimiter::Rates RatesOf(const AuditConfig& config) {
  return {.lines = config.rate_per_user, .bytes = config.bytes_per_user};
}

// Those that rate_per_user counts.
bool IsRefusal(const AuditRecord& record) {
  return record.event == AuditEvent::kRefuse || record.event == AuditEvent::kDeny ||
         record.enforced == false;
}

}  // namespace

void AuditLines::Clear() {
  if (text.capacity() > kKeptBytes && text.size() < kKeptBytes / 4) {
    std::string().swap(text);
  }
  text.clear();
  count = 0;
}

AuditQueue::AuditQueue(const AuditConfig& config)
    : shares_(RandomSeed()), limiter_(RatesOf(config), RandomSeed()) {}

bool AuditQueue::Admit(const AuditRecord& record, Time now) {
  const auto counts =
      IsRefusal(record) ? RateLimiter::Counts::kLinesAndBytes : RateLimiter::Counts::kBytes;
  return record.carried_out || limiter_.Admit(record.uid, record.event, counts, now);
}

bool AuditQueue::Push(const AuditRecord& record, std::string_view line,
                      AuditReservation reservation, Time now) {
  const auto charged =
      record.carried_out ? RateLimiter::Charged::kAnyway : RateLimiter::Charged::kAdmitted;
  limiter_.Charge(record.uid, line.size(), charged, now);
  return Append(record.uid, line, std::move(reservation));
}

bool AuditQueue::Append(uid_t uid, std::string_view line, AuditReservation reservation) {
  if (!shares_.Queue(uid, line.size(), std::move(reservation))) return false;
  lines_.text.append(line);
  ++lines_.count;
  return true;
}

std::optional<bool> AuditQueue::PushSuppressed(Time until,
                                               std::chrono::system_clock::time_point time) {
  const auto suppressed = limiter_.TakeSuppressed(until);
  if (!suppressed) return std::nullopt;
  std::string line;
  AppendSuppressedLine(*suppressed, time, &line);
  return Append(suppressed->uid.value_or(static_cast<uid_t>(-1)), line, {});
}

void AuditQueue::SetRates(const AuditConfig& config) {
  limiter_ = RateLimiter(RatesOf(config), RandomSeed());
}

void AuditQueue::Take(AuditLines* empty) {
  std::swap(lines_, *empty);
  shares_.Release();
}

}  // namespace proxyd
