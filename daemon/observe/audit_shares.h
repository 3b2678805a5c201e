// SPDX-License-Identifier: Apache-2.0
//
// AuditShares: divides the room of the audit's queue among the users. A call whose line is wanted
// reserves room before a backend sees the call. Root has a pool of its own; all other users share a
// second one of the same size. One user's calls may take as much of a pool as is left free: a
// single user gets half, two users get a third each, and a new user always finds some. The memory
// is fixed, whatever the number of users.
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

// The room for one line, or none. The destructor releases it, on any thread. The shares must
// outlive it.
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
  size_t user_ = 0;    // index of the user's slot
  int64_t bytes_ = 0;  // the bytes that were counted
};

class AuditShares {
 public:
  // The size of each pool. 4,096 calls in flight (the default of calls_per_user), with 1 KiB each,
  // fit into half of it.
  static constexpr int64_t kPoolBytes = int64_t{8} << 20;
  // A line counts as at least this many bytes, which limits the number of lines.
  static constexpr int64_t kLeastLine = 256;

  explicit AuditShares(uint64_t seed) : seed_(seed) {}
  AuditShares(const AuditShares&) = delete;
  AuditShares& operator=(const AuditShares&) = delete;

  // Reserves room for the line of a call, at most `bytes`. With 0 it only checks whether there is
  // any room. Returns false if there is none. Any thread may call it; it takes no lock.
  bool Reserve(uid_t uid, size_t bytes, AuditReservation* reservation);

  // The functions below must be called by one thread at a time.

  // Counts a line that is queued now, in its reservation (which is large enough) or in the free
  // room. Without a reservation a line may take more room than a call may reserve, so that calls
  // are refused before lines are lost. Returns false if the line must not be queued.
  bool Queue(uid_t uid, size_t bytes, AuditReservation reservation);
  // Releases the room of all queued lines.
  void Release();

 private:
  friend class AuditReservation;

  struct User {
    std::atomic<uid_t> uid{static_cast<uid_t>(-1)};
    std::atomic<int64_t> used{0};  // bytes that are reserved or queued
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
  std::vector<size_t> queued_;  // the users who have lines in the queue
};

}  // namespace proxyd
