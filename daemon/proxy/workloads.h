// SPDX-License-Identifier: Apache-2.0
//
// Workloads: the workloads of all listeners that discover, from when the follower reports them to
// when they are gone. Each has its state in the table of its listener (listener_state.h), and, with
// a template, a socket of its own that accepts peers. It runs on the worker's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "discovery/follower.h"
#include "proxy/listener_state.h"
#include "proxy/ref.h"
#include "proxy/worker.h"
#include "proxy/workload_state.h"
#include "ttrpc/listening_socket.h"
#include "ttrpc/status.h"
#include "ttrpc/timer.h"

namespace proxyd {

class Workloads final : public Follower::Sink {
 public:
  // The time that calls on a workload's own socket have to end after the workload is gone.
  static constexpr std::chrono::seconds kLastCalls{5};

  // `base` and `worker` must outlive this.
  Workloads(event_base* base, Worker& worker);
  ~Workloads();
  Workloads(const Workloads&) = delete;
  Workloads& operator=(const Workloads&) = delete;

  // Follows the listeners of the worker's latest generation. It is called at the start and after
  // each reload. Returns what Follower::SetListeners() returns.
  ttrpc::Status Follow();
  // Removes all fronts and follows nothing any more.
  void Clear();

  // Calls `visit` for each workload, in the order of the listeners of the configuration, and of the
  // keys within each. `visit` must change nothing.
  void ForEach(
      const std::function<void(const std::string& listener, const WorkloadState&)>& visit) const;
  // The number of workloads of the listener with this name that take calls, and of those with a
  // problem. Both are 0 if no such listener discovers.
  size_t served(std::string_view listener) const;
  size_t faulty(std::string_view listener) const;
  // Whether all workloads that existed at the last Follow() have been reported.
  bool settled() const { return settled_; }

  // The follower calls these.
  void OnWorkloads(std::vector<WorkloadChange> changes) override;
  void OnWorkloadsSettled() override;
  void OnDiscoveryProblem(const std::string& listener, const std::string& what) override;

 private:
  // A listener that is followed.
  struct Followed {
    Ref<ListenerState> listener;
    DiscoveryConfig source;
    SocketAccess access;
    // Whether the follower may still report fronts that it made with the access before.
    bool access_changed = false;
  };
  // A workload that is gone, whose peers may still finish their calls.
  struct Leaving {
    Ref<WorkloadState> workload;
    std::chrono::steady_clock::time_point until;
  };

  using FollowedByKey = std::unordered_map<std::string, Followed>;

  Followed TakeOver(const ListenerConfig& listener, Ref<ListenerState> state,
                    const std::string& key);
  // These return whether peers may have connections that must take no more calls.
  bool Come(Followed& followed, WorkloadChange change);
  bool Go(ListenerState& listener, const WorkloadKey& key);
  bool StopFollowing(Followed& followed);
  bool Leave(const Ref<WorkloadState>& state);
  // Returns null if there is no listener of this name.
  const WorkloadTable* TableOf(std::string_view listener) const;
  // The texts of a workload that are logged when they change.
  struct Noted {
    std::string why;
    std::string config_problem;
  };
  void Note(const ListenerState& listener, const WorkloadState& state, const Noted& before) const;
  void Listen(Followed& followed, WorkloadState& state, ttrpc::ListeningSocket socket);
  void OnPaused(const ListenerState& listener, int error_number);
  void SetAccess(const Followed& followed, WorkloadState& state);
  // Stops listening, and adds the socket to removed_.
  void TakeFront(WorkloadState& state);
  void RemoveFronts();
  void OnLastCalls();

  Worker& worker_;
  Follower follower_;
  FollowedByKey followed_;                       // by FollowedListener::key
  std::vector<ttrpc::ListeningSocket> removed_;  // for Follower::Remove()
  std::deque<Leaving> leaving_;                  // the next one to end first
  ttrpc::Timer last_calls_;
  std::chrono::steady_clock::time_point log_pause_again_{};
  bool settled_ = true;
};

}  // namespace proxyd
