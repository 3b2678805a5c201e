// SPDX-License-Identifier: Apache-2.0
//
// Follower: follows the workloads of all listeners that discover, on a thread of its own, since
// file systems may block. It makes a socket for each workload of a listener with a template, and
// reports what comes, changes and goes to the loop. It never polls: inotify reports changes, and a
// scan after each new watch finds what came before it.
//
// Every function but the two of Sink is called on the loop's thread, and none waits.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "discovery/workload.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/listening_socket.h"
#include "ttrpc/status.h"

namespace proxyd {

// A listener with `discover`, as the follower needs it.
struct FollowedListener {
  std::string name;       // for messages
  std::string key;        // its address as the configuration prints it; unique among listeners
  DiscoveryConfig source;
  std::optional<SocketTemplate> front;  // none: one socket for all workloads
  SocketAccess access;                  // of each front
  std::set<std::string> annotations;    // the keys that rules name
  friend bool operator==(const FollowedListener&, const FollowedListener&) = default;
};

// Returns the listeners of a configuration that discover.
std::vector<FollowedListener> FollowedListenersOf(const Config& config);

// What happened to one workload of one listener.
struct WorkloadChange {
  std::string listener;  // the key of the FollowedListener
  // kHere: it is new, or differs from before. kGone: only `workload.key` is set.
  enum class Kind { kHere, kGone } kind = Kind::kHere;
  Workload workload;
  // A socket that listens for the workload. It is set when a front was made, which is at most once
  // until the workload is gone, and never if workload.why is set.
  std::optional<ttrpc::ListeningSocket> front;
};

class Follower {
 public:
  class Sink {
   public:
    // Called on the loop's thread. Changes of one workload come in order. At the start, and after
    // SetListeners(), all workloads that exist come in few large batches.
    virtual void OnWorkloads(std::vector<WorkloadChange> changes) = 0;
    // Every workload that existed when SetListeners() was called has been reported.
    virtual void OnWorkloadsSettled() = 0;

   protected:
    ~Sink() = default;
  };

  // `base` and `sink` must outlive the follower. Starts no thread before there is something to
  // follow.
  Follower(event_base* base, Sink& sink);
  // Does not wait for the thread. Fronts that were not reported yet are removed.
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // Follows these listeners from now on. Those that stay the same are not scanned again. A listener
  // that changed in more than its name, its access and its annotations is one that goes and one
  // that comes. Returns RESOURCE_EXHAUSTED if no thread or descriptor is left.
  ttrpc::Status SetListeners(std::vector<FollowedListener> listeners);

  // Removes the paths of fronts that are not needed any more, and their directories that are empty
  // then, on the thread.
  void Remove(std::vector<ttrpc::ListeningSocket> fronts);

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace proxyd
