// SPDX-License-Identifier: Apache-2.0
//
// Generation: a snapshot of the configuration as one worker uses it, with what the worker keeps for
// its backends and listeners. A reload makes the next one, which takes over what stays; the peers
// that go on under the new rules move to it, and calls in flight keep the one that allowed them. On
// the worker's thread.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "policy/snapshot.h"
#include "proxy/backend.h"
#include "proxy/peer_timeouts.h"
#include "proxy/ref.h"
#include "ttrpc/io_loop.h"

namespace proxyd {

class Generation : public RefCounted {
 public:
  // The first. `loop` must outlive it.
  Generation(ttrpc::IoLoop& loop, SnapshotPtr snapshot);
  // The one after `before`: of backends and listeners that both have, it takes over what `before`
  // keeps, which from here on is configured as here.
  Generation(ttrpc::IoLoop& loop, SnapshotPtr snapshot, const Generation& before);

  const Config& config() const { return snapshot_->config; }
  const Policy& policy() const { return snapshot_->policy; }
  const Ref<Backend>& backend(size_t index) const { return backends_[index]; }
  const Ref<PeerDeadlines>& deadlines(size_t listener) const { return deadlines_[listener]; }

  // Whether calls may still go to it.
  bool Has(const Backend& backend) const;
  // What a listener of another generation is here, if anything: the one with its name, or else with
  // its address.
  std::optional<size_t> FindListener(const ListenerConfig& listener) const;

 private:
  SnapshotPtr snapshot_;
  std::vector<Ref<Backend>> backends_;         // by Config::backends
  std::vector<Ref<PeerDeadlines>> deadlines_;  // by Config::listeners
};
}  // namespace proxyd
