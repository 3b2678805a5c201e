// SPDX-License-Identifier: Apache-2.0
//
// Whose connections are closed when more memory is held than may be. A pure function over values;
// any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "config/config.h"
#include "limits/accounting.h"

namespace proxyd {

struct PressedUser {
  uint64_t excess = 0;  // of what it holds, above its own limit
  // The limit that it has to answer for, as Accounting::Buffered() says.
  std::optional<Limit> over = {};
  bool root = false;  // is kept to its own limit alone
};

struct PressedPeer {
  static constexpr uint64_t kMoving = std::numeric_limits<uint64_t>::max();

  size_t user = 0;  // index into the users
  uint64_t held = 0;
  // A time of any kind, at which what it holds last moved; kMoving if none of it is stuck.
  uint64_t stuck_since = kMoving;
};

struct PressureView {
  std::span<const PressedUser> users;
  std::span<const PressedPeer> peers;
  uint64_t excess = 0;       // of what all of them hold, above the limit for all
  uint64_t light_below = 0;  // a peer that holds less holds little
  // Peers that are stuck for less long, or not at all, are left alone. kAnyone: they come last.
  uint64_t stuck_before = 0;
};
// As PressureView::stuck_before.
inline constexpr uint64_t kAnyone = std::numeric_limits<uint64_t>::max();

struct PressureClosing {
  size_t peer;  // index into the peers
  Limit limit;
};

// A user over its own limit loses peers until the rest fits. While all together are over theirs, so
// do the users who hold most, and then the others, until the rest fits. Of a user who is over a
// limit, peers that hold much go before those that hold little, which would free nothing; among
// these, and among the others' peers, whoever has been stuck for longest goes first. Each peer is
// named once.
std::vector<PressureClosing> WhomToClose(const PressureView& view);

}  // namespace proxyd
