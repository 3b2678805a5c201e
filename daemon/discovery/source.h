// SPDX-License-Identifier: Apache-2.0
//
// Source: finds the workloads of one listener and follows them. Each value of `discover` has one.
// Nothing in it waits: what takes time, such as an answer of a shim, is a file to poll and a time
// to wake up. On the follower's thread.
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "discovery/inotify.h"
#include "discovery/workload.h"

namespace proxyd {

// The events that the thread waits for.
struct PollSet {
  using TimePoint = std::chrono::steady_clock::time_point;

  std::vector<pollfd> files;
  std::optional<TimePoint> wake;

  void WakeBy(TimePoint when) { wake = wake ? std::min(*wake, when) : when; }
};

class Findings {
 public:
  // A workload exists, or was found again and may differ. `workload.why` may say that it cannot be
  // used.
  virtual void Here(Workload workload) = 0;
  // The workload is gone. Has no effect for an unknown one.
  virtual void Gone(const WorkloadKey& key) = 0;
  // Whether the workload was found, and is not gone.
  virtual bool Knows(const WorkloadKey& key) const = 0;
  // The source cannot find all workloads; `what` says why.
  virtual void Problem(const std::string& what) = 0;

 protected:
  ~Findings() = default;
};

class Source {
 public:
  virtual ~Source() = default;

  // Finds the workloads that exist already.
  virtual void Start() = 0;
  // Inotify events were passed on, or some were `lost`.
  virtual void AfterEvents(bool lost) = 0;
  // A resource may be free again: tries again what failed.
  virtual void Retry() = 0;
  // Whether something failed that Retry() may mend. No event reports when.
  virtual bool incomplete() const = 0;
  // These annotations are wanted from now on; those of known workloads are read again.
  virtual void WantAnnotations(const std::set<std::string>& keys) { static_cast<void>(keys); }
  // Whether all workloads that existed at Start() have been reported.
  virtual bool settled() const { return true; }
  virtual void Prepare(PollSet* set) const { static_cast<void>(set); }
  // Continues what waited for a file or for a time.
  virtual void Advance(PollSet::TimePoint now) { static_cast<void>(now); }
};

// `inotify` and `findings` must outlive the source.
std::unique_ptr<Source> NewContainerdSource(const DiscoveryConfig& config,
                                            const std::set<std::string>& annotations,
                                            Inotify& inotify, Findings& findings);
std::unique_ptr<Source> NewDirectorySource(const DiscoveryConfig& config, Inotify& inotify,
                                           Findings& findings);
std::unique_ptr<Source> NewKataSource(const DiscoveryConfig& config, Inotify& inotify,
                                      Findings& findings);

}  // namespace proxyd
