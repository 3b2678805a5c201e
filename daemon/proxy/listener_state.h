// SPDX-License-Identifier: Apache-2.0
//
// ListenerState: a listener as its peers know it. It follows the socket from one configuration to
// the next, even if the listener is renamed. Once the listener is removed, the state keeps its last
// values for the peers that stay. It lives on its worker's thread.
#pragma once

#include <cstddef>
#include <optional>

#include "config/config.h"
#include "proxy/peer_timeouts.h"
#include "proxy/ref.h"
#include "proxy/workload_state.h"
#include "ttrpc/io_loop.h"

namespace proxyd {

struct ListenerState : RefCounted {
  ListenerState(ttrpc::IoLoop& loop, const ListenerConfig& listener, size_t place)
      : config(listener),
        index(place),
        deadlines(MakeRef<PeerDeadlines>(loop, listener.timeouts)) {}

  // Sets the listener's values in the next configuration.
  void Set(const ListenerConfig& listener, size_t place) {
    config = listener;
    index = place;
    deadlines->Set(listener.timeouts);
  }

  ListenerConfig config;
  std::optional<size_t> index;  // in the latest configuration; none if it was removed
  Ref<PeerDeadlines> deadlines;
  size_t peers = 0;
  WorkloadTable workloads;  // empty unless it discovers; see Workloads
};

}  // namespace proxyd
