// SPDX-License-Identifier: Apache-2.0
//
// FollowerThread: the thread of a Follower, and the two places where it and the loop exchange
// values: a list of commands, and one batch of results. Both are atomic pointers, so neither side
// waits for the other. While the loop has not taken a batch, the thread collects the next one, and
// stops reading events once that is large.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "discovery/follower.h"
#include "discovery/inotify.h"
#include "discovery/listener_follower.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

// A request of the loop to the thread.
struct FollowCommand {
  std::optional<std::vector<FollowedListener>> listeners = {};
  std::vector<ttrpc::ListeningSocket> fronts = {};  // to remove
  FollowCommand* next = nullptr;                    // the one before
};

struct FollowBatch {
  std::vector<WorkloadChange> changes = {};
  std::vector<std::pair<std::string, std::string>> problems = {};  // listener and reason
  uint64_t settled = 0;  // this number of commands with listeners has been carried out
};

class FollowerThread final : ListenerFollower::Sink {
 public:
  // Functions of the loop.

  // Returns a thread that runs, or RESOURCE_EXHAUSTED.
  static ttrpc::Result<FollowerThread*> Start();
  void Send(std::unique_ptr<FollowCommand> command);
  // Readable if there may be a batch.
  int results() const { return results_.get(); }
  // Returns null if there is none.
  std::unique_ptr<FollowBatch> Take();
  // Ends the thread and destroys this object, or leaves both behind if the thread hangs.
  static void Stop(FollowerThread* self, std::chrono::nanoseconds patience);

  static size_t stuck();

 private:
  enum class Ending { kRunning, kDone, kAbandoned };

  FollowerThread() = default;
  ~FollowerThread();

  // Functions of the thread.
  static void Run(FollowerThread* self);
  void Work();
  void Wait();
  bool is_full() const;
  void CarryOut();
  void SetListeners(std::vector<FollowedListener> listeners);
  void Remove(std::vector<ttrpc::ListeningSocket> fronts);
  void RetryIfDue();
  bool is_settled() const;
  void Push(WorkloadChange change) override;
  void PushProblem(const std::string& listener, const std::string& what) override;
  void Flush();
  void Settle();

  // Shared.
  std::atomic<FollowCommand*> commands_ = nullptr;  // the newest first
  std::atomic<FollowBatch*> batch_ = nullptr;
  std::atomic<bool> stop_ = false;
  std::atomic<Ending> ending_ = Ending::kRunning;
  ttrpc::UniqueFd wake_;     // an eventfd that wakes the thread
  ttrpc::UniqueFd results_;  // an eventfd that wakes the loop

  std::thread thread_;  // the loop's

  // The thread's own.
  std::unique_ptr<Inotify> inotify_;
  FollowBatch next_;
  uint64_t commanded_ = 0;  // commands with listeners that were carried out
  uint64_t settled_ = 0;    // those of them that were reported as settled
  // The time to try again what failed because a resource ran out. None: nothing failed.
  std::optional<PollSet::TimePoint> retry_;
  std::chrono::milliseconds retry_delay_{};
  std::map<std::string, std::unique_ptr<ListenerFollower>> listeners_;  // by key
};

}  // namespace proxyd
