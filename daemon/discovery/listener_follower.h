// SPDX-License-Identifier: Apache-2.0
//
// ListenerFollower: follows the workloads of one listener. It owns the source that finds them,
// makes and removes their sockets, and turns what the source finds into changes. A workload that
// was reported as good never becomes bad: it is reported as gone, and then as new. Everything runs
// on the follower's thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "discovery/follower.h"
#include "discovery/front_maker.h"
#include "discovery/source.h"
#include "discovery/workload.h"
#include "ttrpc/listening_socket.h"

namespace proxyd {

class ListenerFollower final : Findings {
 public:
  class Sink {
   public:
    virtual void Push(WorkloadChange change) = 0;
    virtual void PushProblem(const std::string& listener, const std::string& what) = 0;

   protected:
    ~Sink() = default;
  };

  // `inotify` and `sink` must outlive this object.
  ListenerFollower(FollowedListener listener, Inotify& inotify, Sink& sink);
  // Reports that all workloads are gone, and removes their sockets.
  ~ListenerFollower();
  ListenerFollower(const ListenerFollower&) = delete;
  ListenerFollower& operator=(const ListenerFollower&) = delete;

  // Reports the workloads that exist. Call this once, before all other functions.
  void Start();
  // Whether the listener can become `next` without reporting its workloads as gone and new.
  bool CanBecome(const FollowedListener& next) const;
  void Become(FollowedListener next);
  // Tries again what failed, since descriptors may be free again.
  void Retry();
  // Whether something failed that Retry() may mend. No event reports when.
  bool incomplete() const;
  // A socket at this path, which may be of another listener, was removed by its owner.
  void FrontRemoved(const std::string& path);

  Source& source() { return *source_; }

 private:
  struct Entry {
    Workload found;
    std::string front_why;                               // why it has no socket
    std::optional<ttrpc::ListeningSocket::Files> front;  // none: it has no socket

    bool is_good() const { return found.why.empty() && front_why.empty(); }
  };

  void Here(Workload workload) override;
  void Gone(const WorkloadKey& key) override;
  bool Knows(const WorkloadKey& key) const override { return entries_.contains(key); }
  void Problem(const std::string& what) override;

  std::optional<ttrpc::ListeningSocket> MakeFront(Entry* entry);
  void RemoveFront(Entry* entry);
  void RetryFronts();
  void Report(const Entry& entry, std::optional<ttrpc::ListeningSocket> front);
  void ReportGone(const WorkloadKey& key);

  FollowedListener listener_;
  Sink& sink_;
  std::optional<FrontMaker> maker_;  // none: one socket for all
  std::map<WorkloadKey, Entry> entries_;
  std::map<std::vector<std::string>, Entry*> front_owners_;  // by the names of the sockets
  std::set<WorkloadKey> without_front_;                      // those that may get one later
  bool is_short_ = false;                                    // a resource ran out for one of those
  std::set<std::string> problems_;                           // those that were reported
  std::unique_ptr<Source> source_;
};

}  // namespace proxyd
