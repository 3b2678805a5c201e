// SPDX-License-Identifier: Apache-2.0
//
// Follower: follows the workloads of all listeners that discover, on a thread of its own, since
// file systems may block. It makes a socket for each workload of a listener with a template, and
// reports to the loop which workloads are new, have changed, or are gone. It never polls: inotify
// reports changes, and a scan after each new watch finds what existed before it. Only failures, for
// example because no descriptor is left, are tried again, at growing intervals.
//
// Every function, those of Sink too, is called on the loop's thread. None waits, except that the
// destructor waits a moment for the thread. The thread and the loop exchange values without a lock.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
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

class FollowerThread;

// A listener with `discover`, as the follower needs it.
struct FollowedListener {
  std::string name;  // for messages
  std::string key;   // its address as the configuration prints it; unique among listeners
  DiscoveryConfig source;
  std::optional<SocketTemplate> front;  // none: one socket for all workloads
  SocketAccess access;                  // the access of each front
  std::set<std::string> annotations;    // the keys that rules name
  friend bool operator==(const FollowedListener&, const FollowedListener&) = default;
};

// Returns the listeners of a configuration that discover.
std::vector<FollowedListener> FollowedListenersOf(const Config& config);

// A change of one workload of one listener.
struct WorkloadChange {
  std::string listener = {};  // the key of the FollowedListener
  // kHere: it is new, or differs from before. kGone: only `workload.key` is set. A good workload
  // that gets a problem is reported as gone, and then as new.
  enum class Kind { kHere, kGone } kind = Kind::kHere;
  Workload workload = {};
  // A socket that listens for the workload. It is set when a front was made, which is at most once
  // until the workload is gone, and never if workload.why is set. Return it by Follower::Remove()
  // even after kGone, when its path is removed already: its descriptor may serve another workload.
  std::optional<ttrpc::ListeningSocket> front = {};
};

class Follower {
 public:
  class Sink {
   public:
    // Changes of one workload come in order. At the start, and after SetListeners(), all workloads
    // that exist come in few large batches. Changes of a listener that was removed meanwhile may
    // still come; the last ones report its workloads as gone. Must not destroy the follower.
    virtual void OnWorkloads(std::vector<WorkloadChange> changes) = 0;
    // Every workload that existed when SetListeners() was called last has been reported. Not called
    // if there was never a listener to follow.
    virtual void OnWorkloadsSettled() = 0;
    // The listener with this key cannot follow all of its workloads. `what` is the reason, a
    // sentence without a full stop. Called once while the reason stays the same.
    virtual void OnDiscoveryProblem(const std::string& listener, const std::string& what) {
      static_cast<void>(listener);
      static_cast<void>(what);
    }

   protected:
    ~Sink() = default;
  };

  static constexpr std::chrono::seconds kPatience{1};

  // `base` and `sink` must outlive the follower. Starts no thread before there is something to
  // follow.
  Follower(event_base* base, Sink& sink);
  // Removes all fronts and their directories, on the thread, and waits at most kPatience for that.
  // A thread that hangs in a file system is abandoned.
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // Follows these listeners from now on. Those that stay the same are not scanned again. A listener
  // that changed in more than its name, its access and its annotations counts as removed and added.
  // Returns RESOURCE_EXHAUSTED if no thread or descriptor is left.
  ttrpc::Status SetListeners(std::vector<FollowedListener> listeners);

  // Removes the paths of fronts that are not needed any more, and their directories that are empty
  // then, on the thread.
  void Remove(std::vector<ttrpc::ListeningSocket> fronts);

  // Returns how many abandoned threads of this process still hang. While there are any, the process
  // must end with _exit(2).
  static size_t stuck();

 private:
  void Receive();

  Sink& sink_;
  event_base* const base_;
  // The thread's side and what both share. Owned by this object, and after its destruction by a
  // thread that hangs.
  FollowerThread* thread_ = nullptr;
  ttrpc::EventPtr event_;
  uint64_t commanded_ = 0;  // calls of SetListeners() that reached the thread
};

}  // namespace proxyd
