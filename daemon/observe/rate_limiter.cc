// SPDX-License-Identifier: Apache-2.0
#include "observe/rate_limiter.h"

#include <algorithm>
#include <utility>

namespace proxyd {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kBurst = std::chrono::seconds(1);  // the worth of a full bucket

}  // namespace

RateLimiter::RateLimiter(const Rates& rates, uint64_t seed)
    : line_cost_(rates.lines == 0 ? nanoseconds(0) : kBurst / rates.lines),
      bytes_per_second_(rates.bytes),
      least_bytes_(std::min(kBurst, CostOf(kLeastBytes))),
      seed_(seed) {
  if (rates.lines == 0 && rates.bytes == 0) return;
  buckets_.resize(kAllUserSlots);
  buckets_[kRootSlot].uid = kRootUid;
  buckets_[kRootSlot].used = true;
}

nanoseconds RateLimiter::CostOf(size_t bytes) const {
  if (bytes_per_second_ == 0) return nanoseconds(0);
  return nanoseconds(bytes * static_cast<uint64_t>(kBurst.count()) / bytes_per_second_);
}

// Returns the user's own bucket; else a free one of the user's set; else the common bucket.
RateLimiter::Bucket& RateLimiter::Find(uid_t uid, Time now) {
  if (uid == kRootUid) return buckets_[kRootSlot];
  const size_t first = FirstUserSlot(uid, seed_);
  Bucket* free = nullptr;
  for (size_t i = first; i < first + kUserSetSize; ++i) {
    Bucket& bucket = buckets_[i];
    if (bucket.used && bucket.uid == uid) return bucket;
    const bool full = bucket.lines_full_at <= now && bucket.bytes_full_at <= now;
    const bool forgettable = !bucket.used || (full && bucket.suppressed == 0);
    if (free == nullptr && forgettable) free = &bucket;
  }
  if (free == nullptr) return buckets_[kCommonSlot];
  *free = Bucket();
  free->uid = uid;
  free->used = true;
  return *free;
}

bool RateLimiter::Admit(uid_t uid, AuditEvent event, Counts counts, Time now) {
  if (buckets_.empty()) return true;
  Bucket& bucket = Find(uid, now);
  const nanoseconds line = counts == Counts::kBytes ? nanoseconds(0) : line_cost_;
  const Time lines_full_at = std::max(bucket.lines_full_at, now) + line;
  const Time bytes_full_at = std::max(bucket.bytes_full_at, now) + least_bytes_;
  const Time latest = now + kBurst;
  if ((line.count() == 0 || lines_full_at <= latest) && bytes_full_at <= latest) {
    bucket.lines_full_at = lines_full_at;
    return true;
  }
  bucket.event = event;
  if (bucket.suppressed++ == 0) {
    bucket.suppressed_since = now;
    suppressed_.push_back(static_cast<size_t>(&bucket - buckets_.data()));
  }
  return false;
}

void RateLimiter::Charge(uid_t uid, size_t bytes, Charged charged, Time now) {
  if (bytes_per_second_ == 0) return;
  Bucket& bucket = Find(uid, now);
  const Time before = std::max(bucket.bytes_full_at, now);
  Time after = before + CostOf(bytes);
  if (charged == Charged::kAnyway) after = std::min(after, std::max(before, now + kBurst));
  bucket.bytes_full_at = after;
}

std::optional<RateLimiter::Time> RateLimiter::next_due() const {
  if (suppressed_.empty()) return std::nullopt;
  return buckets_[suppressed_.front()].suppressed_since + kTellAfter;
}

std::optional<RateLimiter::Suppressed> RateLimiter::TakeSuppressed(Time now) {
  const std::optional<Time> due = next_due();
  if (!due || *due > now) return std::nullopt;
  Bucket& bucket = buckets_[suppressed_.front()];
  suppressed_.pop_front();
  Suppressed told;
  if (bucket.used) told.uid = bucket.uid;  // the common bucket belongs to no user
  told.event = bucket.event;
  told.lines = std::exchange(bucket.suppressed, 0);
  return told;
}

}  // namespace proxyd
