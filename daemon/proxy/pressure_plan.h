// SPDX-License-Identifier: Apache-2.0
//
// WhomToClose: decides whose connections are closed when more memory is held than allowed. It is a
// pure function.
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
  uint64_t excess = 0;  // bytes above the user's own limit
  // The limit that this user exceeds, as Accounting::Buffered() returns it.
  std::optional<Limit> over = {};
  bool root = false;  // only the user's own limit applies
};

struct PressedPeer {
  static constexpr uint64_t kMoving = std::numeric_limits<uint64_t>::max();

  size_t user = 0;  // index into the users
  uint64_t held = 0;
  // A time in any unit when the bytes it holds last moved; kMoving if none of them is stuck.
  uint64_t stuck_since = kMoving;
};

struct PressureView {
  std::span<const PressedUser> users;
  std::span<const PressedPeer> peers;
  uint64_t excess = 0;       // bytes of all users above the limit for all
  uint64_t light_below = 0;  // a peer that holds less holds little
  // Only peers that have been stuck since before this time are closed. With kAnyone every peer may
  // be closed, those that are not stuck last.
  uint64_t stuck_before = 0;
};
// A value of PressureView::stuck_before.
inline constexpr uint64_t kAnyone = std::numeric_limits<uint64_t>::max();

struct PressureClosing {
  size_t peer;  // index into the peers
  Limit limit;
};

// A user over its own limit loses peers until the rest fits. While all users together exceed the
// total limit, the users who hold most also lose peers, and after them the others. A user over a
// limit loses peers that hold little last, since closing them frees nothing. Otherwise the peer
// that has been stuck for longest goes first. No peer is named twice.
std::vector<PressureClosing> WhomToClose(const PressureView& view);

}  // namespace proxyd
