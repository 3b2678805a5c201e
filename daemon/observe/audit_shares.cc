// SPDX-License-Identifier: Apache-2.0
#include "observe/audit_shares.h"

#include <algorithm>

namespace proxyd {

namespace {

constexpr int64_t kForCalls = 1;  // a call's line may take as much as is left free
constexpr int64_t kForLines = 2;  // any other line may take twice that

constexpr auto kRelaxed = std::memory_order_relaxed;

int64_t CountedAs(size_t bytes) {
  return std::max(static_cast<int64_t>(bytes), AuditShares::kLeastLine);
}

}  // namespace

AuditReservation& AuditReservation::operator=(AuditReservation&& other) noexcept {
  Release();
  shares_ = std::exchange(other.shares_, nullptr);
  user_ = other.user_;
  bytes_ = other.bytes_;
  return *this;
}

void AuditReservation::Release() {
  if (shares_ != nullptr) std::exchange(shares_, nullptr)->Add(user_, -bytes_);
}

// Two threads may take the same slot for two users, who then share it while it is in use. The cost
// is a part of their own shares; other users lose nothing.
size_t AuditShares::Find(uid_t uid) {
  if (uid == kRootUid) return kRootSlot;
  const size_t first = FirstUserSlot(uid, seed_);
  size_t free = kCommonSlot;
  for (size_t i = first; i < first + kUserSetSize; ++i) {
    if (users_[i].uid.load(kRelaxed) == uid) return i;
    if (free == kCommonSlot && users_[i].used.load(kRelaxed) == 0) free = i;
  }
  if (free != kCommonSlot) users_[free].uid.store(uid, kRelaxed);
  return free;
}

std::atomic<int64_t>& AuditShares::PoolOf(size_t user) {
  return user == kRootSlot ? root_used_ : others_used_;
}

void AuditShares::Add(size_t user, int64_t bytes) {
  users_[user].used.fetch_add(bytes, kRelaxed);
  PoolOf(user).fetch_add(bytes, kRelaxed);
}

// Room is taken before it is checked, so that two threads together never take more than there is.
bool AuditShares::Take(size_t user, int64_t bytes, int64_t shares_of_free) {
  const int64_t own = users_[user].used.fetch_add(bytes, kRelaxed) + bytes;
  const int64_t all = PoolOf(user).fetch_add(bytes, kRelaxed) + bytes;
  if (own <= shares_of_free * (kPoolBytes - all)) return true;
  Add(user, -bytes);
  return false;
}

bool AuditShares::Reserve(uid_t uid, size_t bytes, AuditReservation* reservation) {
  const size_t user = Find(uid);
  if (bytes == 0) return Take(user, 0, kForCalls);
  const int64_t counted = CountedAs(bytes);
  if (!Take(user, counted, kForCalls)) return false;
  reservation->Release();
  reservation->shares_ = this;
  reservation->user_ = user;
  reservation->bytes_ = counted;
  return true;
}

bool AuditShares::Queue(uid_t uid, size_t bytes, AuditReservation reservation) {
  const int64_t counted = CountedAs(bytes);
  const size_t user = reservation.empty() ? Find(uid) : reservation.user_;
  if (reservation.empty()) {
    if (!Take(user, counted, kForLines)) return false;
  } else {
    Add(user, counted - reservation.bytes_);
    reservation.shares_ = nullptr;
  }
  int64_t& queued = users_[user].queued;
  if (queued == 0) queued_.push_back(user);
  queued += counted;
  return true;
}

void AuditShares::Release() {
  for (const size_t user : queued_) Add(user, -std::exchange(users_[user].queued, 0));
  queued_.clear();
}

}  // namespace proxyd
