// SPDX-License-Identifier: Apache-2.0
//
// Pressure: what a worker does when users hold more memory than their limit. Nothing is received
// for such a user. Bytes that were received before go on to their destination, unless that makes
// the user hold still more. Peers that have not moved a byte for a second are closed until the rest
// fits. It costs nothing while no limit is exceeded. It runs on the worker's thread.
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
  // All arguments but `limits` must outlive this.
  Pressure(ttrpc::IoLoop& loop, Accounting& accounting, const LimitsConfig& limits,
           std::list<Peer>& peers);
  Pressure(const Pressure&) = delete;
  Pressure& operator=(const Pressure&) = delete;

  void SetLimits(const LimitsConfig& limits) { limits_ = limits; }

  // The peer holds more memory than before. Any peer, this one included, may be closed on return.
  void OnGrowth(Peer& peer);
  // The user holds more memory than before, in a connection that peers share. Peers may be closed
  // on return.
  void OnGrowth(const UserAccount& account);

 private:
  // The number of looks in the second for which held bytes may stay unwritten.
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
  std::set<uid_t> held_up_;  // users for whom nothing is received
  // The wake-ups of the last looks; the oldest is the next to be overwritten. A peer that has not
  // moved since the oldest is stuck.
  std::array<uint64_t, kPatientLooks> looks_{};
  size_t next_look_ = 0;
  // Closing peers has not helped, since they do not hold the memory. They are not searched again
  // before the next look.
  bool in_vain_ = false;
};

}  // namespace proxyd
