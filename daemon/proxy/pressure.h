// SPDX-License-Identifier: Apache-2.0
//
// Pressure: what happens to the peers of a worker whose users hold more memory than they may: those
// that hold much are not read, and closed if that does not help in time. Costs nothing while nobody
// does. On the worker's thread.
#pragma once

#include <list>
#include <optional>

#include "config/config.h"
#include "policy/accounting.h"
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

  // The peer holds more than before; it, or another of its user, may be closed on return.
  void OnGrowth(Peer& peer);

 private:
  void Look();
  bool IsLight(const Peer& peer) const;
  void CloseHeaviest(const UserAccount& account, Limit limit);

  Accounting& accounting_;
  LimitsConfig limits_;
  std::list<Peer>& peers_;
  ttrpc::Timer timer_;  // runs while anybody holds too much
};

}  // namespace proxyd
