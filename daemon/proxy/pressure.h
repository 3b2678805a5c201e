// SPDX-License-Identifier: Apache-2.0
//
// Pressure: what happens to the peers of a worker whose users hold more memory than they may.
// Nothing is received for such a user; what was received before goes on to its destination, unless
// that makes the user hold still more. Peers of which nothing has moved for a second are then
// closed until the rest fits. Costs nothing while nobody holds too much. On the worker's thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <vector>

#include "config/config.h"
#include "limits/accounting.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"

namespace proxyd {

class Peer;

class Pressure {
 public:
  // All but `limits` must outlive it.
  Pressure(ttrpc::IoLoop& loop, Accounting& accounting, const LimitsConfig& limits,
           std::list<Peer>& peers);
  Pressure(const Pressure&) = delete;
  Pressure& operator=(const Pressure&) = delete;

  void SetLimits(const LimitsConfig& limits) { limits_ = limits; }

  // The peer holds more than before; it, or any other, may be closed on return.
  void OnGrowth(Peer& peer);
  // The user holds more than before, and not by a peer of its own. Peers may be closed on return.
  void OnGrowth(const UserAccount& account);

 private:
  // A second, for what is held to be written.
  static constexpr size_t kPatientLooks = 10;

  void Look();
  bool TooMuch(const UserAccount& account) const;
  void Close(uint64_t stuck_before);
  void Release();

  ttrpc::IoLoop& loop_;
  Accounting& accounting_;
  LimitsConfig limits_;
  std::list<Peer>& peers_;
  ttrpc::Timer timer_;       // runs while anybody holds too much
  std::set<uid_t> held_up_;  // for whom nothing is received
  // The wake-ups of the last looks, the next to be overwritten being the first: what has not moved
  // since is stuck.
  std::array<uint64_t, kPatientLooks> looks_{};
  size_t next_look_ = 0;
  // Closing has not helped: what is held is nobody's of ours, and the peers are not searched again
  // before the next look.
  bool in_vain_ = false;
};

}  // namespace proxyd
