// SPDX-License-Identifier: Apache-2.0
//
// The slots of a fixed-size table with data about each user. A user has a set of a few slots,
// chosen by a hash that users cannot predict. One account may own 65,536 subordinate uids, so one
// common slot serves all users whose set is full. Root has a slot of its own.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace proxyd {

inline constexpr size_t kUserSlots = 2048;
inline constexpr size_t kUserSetSize = 8;
inline constexpr size_t kCommonSlot = kUserSlots;
inline constexpr size_t kRootSlot = kUserSlots + 1;
inline constexpr size_t kAllUserSlots = kUserSlots + 2;

inline constexpr uid_t kRootUid = 0;

// Returns the first slot of the set of `uid`; `seed` should be random.
inline size_t FirstUserSlot(uid_t uid, uint64_t seed) {
  static_assert(kUserSlots % kUserSetSize == 0);
  // splitmix64's finalizer: each bit of the uid reaches each bit of the result.
  uint64_t value = uid + seed;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  value = value ^ (value >> 31U);
  return value % (kUserSlots / kUserSetSize) * kUserSetSize;
}

}  // namespace proxyd
