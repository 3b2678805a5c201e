// SPDX-License-Identifier: Apache-2.0
#include "observe/rate_limiter.h"

#include <algorithm>
#include <utility>

namespace proxyd {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kBurst = std::chrono::seconds(1);  // what a full bucket is worth
constexpr size_t kSetSize = 8;                           // places that a user may have

// splitmix64's finalizer: each bit of the uid reaches each bit of the result.
uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

}  // namespace

RateLimiter::RateLimiter(uint32_t lines_per_second, uint64_t seed)
    : line_cost_(lines_per_second == 0 ? nanoseconds(0) : kBurst / lines_per_second), seed_(seed) {
  static_assert(kUsers % kSetSize == 0);
  if (line_cost_.count() != 0) buckets_.resize(kUsers + 1);
}

// A user's own bucket, or else a place in the user's set that remembers nothing, or else the common
// bucket.
RateLimiter::Bucket& RateLimiter::Find(uid_t uid, Time now) {
  const size_t first = Mix(uid + seed_) % (kUsers / kSetSize) * kSetSize;
  Bucket* free = nullptr;
  for (size_t i = first; i < first + kSetSize; ++i) {
    Bucket& bucket = buckets_[i];
    if (bucket.used && bucket.uid == uid) return bucket;
    const bool forgettable = !bucket.used || (bucket.full_at <= now && bucket.suppressed == 0);
    if (free == nullptr && forgettable) free = &bucket;
  }
  if (free == nullptr) return buckets_.back();
  *free = Bucket();
  free->uid = uid;
  free->used = true;
  return *free;
}

bool RateLimiter::Admit(uid_t uid, AuditEvent event, Time now) {
  if (line_cost_.count() == 0) return true;
  Bucket& bucket = Find(uid, now);
  const Time full_at = std::max(bucket.full_at, now) + line_cost_;
  if (full_at <= now + kBurst) {
    bucket.full_at = full_at;
    return true;
  }
  bucket.event = event;
  if (bucket.suppressed++ == 0) {
    bucket.suppressed_since = now;
    suppressed_.push_back(static_cast<size_t>(&bucket - buckets_.data()));
  }
  return false;
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
  if (bucket.used) told.uid = bucket.uid;  // the common bucket is nobody's
  told.event = bucket.event;
  told.lines = std::exchange(bucket.suppressed, 0);
  return told;
}

}  // namespace proxyd
