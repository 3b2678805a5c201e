// SPDX-License-Identifier: Apache-2.0
//
// AuditShares: how the room of the audit's queue is shared out. A call whose line is wanted gets
// room for it before a backend sees the call. Root has a queue's worth of its own, which others
// cannot take. The rest belongs to all other users: one user's calls may take as much as is left
// free, so that a single user gets half, two a third each, and a newcomer always finds some.
// Its memory is fixed, however many users there are.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "observe/user_sets.h"

namespace proxyd {

class AuditShares;

// Room for one line. Empty, or given back by its destructor, on any thread; the shares must outlive
// it.
class AuditReservation {
 public:
  AuditReservation() = default;
  AuditReservation(AuditReservation&& other) noexcept
      : shares_(std::exchange(other.shares_, nullptr)), user_(other.user_), bytes_(other.bytes_) {}
  AuditReservation& operator=(AuditReservation&& other) noexcept;
  ~AuditReservation() { Release(); }

  void Release();
  bool empty() const { return shares_ == nullptr; }

 private:
  friend class AuditShares;

  AuditShares* shares_ = nullptr;
  size_t user_ = 0;    // the user's slot
  int64_t bytes_ = 0;  // as they were counted
};

class AuditShares {
 public:
  // Root's share, and that of all others together: 4,096 calls in flight of one user (the default
  // of calls_per_user) fit into half of it with a KiB each.
  static constexpr int64_t kPoolBytes = int64_t{8} << 20;
  // A line counts as at least so many bytes, which bounds their number.
  static constexpr int64_t kLeastLine = 256;

  explicit AuditShares(uint64_t seed) : seed_(seed) {}
  AuditShares(const AuditShares&) = delete;
  AuditShares& operator=(const AuditShares&) = delete;

  // Room for the line of a call, of at most `bytes`; with 0 it only finds out whether there is any.
  // False: there is none. Any thread, without a lock.
  bool Reserve(uid_t uid, size_t bytes, AuditReservation* reservation);

  // The rest is for one thread at a time.

  // A line that is queued now: in the room that was kept for it, which is enough, or in what is
  // left. Such a line may go further than a call: calls are refused before lines are lost. False:
  // it must not be queued.
  bool Queue(uid_t uid, size_t bytes, AuditReservation reservation);
  // All that was queued is queued no longer.
  void Release();

 private:
  friend class AuditReservation;

  struct User {
    std::atomic<uid_t> uid{static_cast<uid_t>(-1)};
    std::atomic<int64_t> used{0};  // what is kept for lines, and what is queued
    int64_t queued = 0;
  };

  size_t Find(uid_t uid);
  std::atomic<int64_t>& PoolOf(size_t user);
  bool Take(size_t user, int64_t bytes, int64_t shares_of_free);
  void Add(size_t user, int64_t bytes);

  const uint64_t seed_;
  std::atomic<int64_t> root_used_{0};
  std::atomic<int64_t> others_used_{0};
  std::array<User, kAllUserSlots> users_;
  std::vector<size_t> queued_;  // the users with something queued
};

}  // namespace proxyd
