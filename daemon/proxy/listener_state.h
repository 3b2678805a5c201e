// SPDX-License-Identifier: Apache-2.0
//
// ListenerState: a listener as the peers that came by its sockets know it. It follows the sockets
// from one configuration to the next, whatever the listener is called there, and stays as it last
// was when they are gone. On its worker's thread.
#pragma once

#include <cstddef>
#include <optional>

#include "config/config.h"
#include "proxy/peer_timeouts.h"
#include "proxy/ref.h"
#include "ttrpc/io_loop.h"

namespace proxyd {

struct ListenerState : RefCounted {
  ListenerState(ttrpc::IoLoop& loop, const ListenerConfig& listener, size_t place)
      : config(listener),
        index(place),
        deadlines(MakeRef<PeerDeadlines>(loop, listener.timeouts)) {}

  // What it is in the next configuration.
  void Set(const ListenerConfig& listener, size_t place) {
    config = listener;
    index = place;
    deadlines->Set(listener.timeouts);
  }

  ListenerConfig config;
  std::optional<size_t> index;  // in the latest configuration; none: it was removed
  Ref<PeerDeadlines> deadlines;
  size_t peers = 0;
};

}  // namespace proxyd
