// SPDX-License-Identifier: Apache-2.0
//
// Worker: an event loop and its peers. It authenticates and admits each connection and owns what
// its peers share. A peer never moves to another worker. It runs on its own thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "limits/accounting.h"
#include "observe/audit.h"
#include "observe/labeled_counters.h"
#include "observe/reports.h"
#include "policy/snapshot.h"
#include "proxy/backend_connection.h"
#include "proxy/call.h"
#include "proxy/deadline_queue.h"
#include "proxy/generation.h"
#include "proxy/group_reader.h"
#include "proxy/memory.h"
#include "proxy/peer.h"
#include "proxy/pressure.h"
#include "proxy/reaper.h"
#include "proxy/ref.h"
#include "proxy/shared_backends.h"
#include "proxy/user_name_reader.h"
#include "proxy/worker_counters.h"
#include "proxy/workload_state.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/request.h"

namespace proxyd {

// The objects that a worker shares with others. All of them must outlive the worker.
struct WorkerContext {
  Reports& reports;
  Accounting& accounting;
  // Go's client and server count stream ids in 31 bits. A backend connection that has reached this
  // id, well below their limit, takes no more calls and is closed after its last.
  uint32_t last_stream_id = 0x7f00'0001;
  // The limit of open descriptors, RLIMIT_NOFILE.
  uint64_t descriptors = UINT64_MAX;
  // How long a backend may go on with calls on a shared connection after their peer has left.
  // Closing the connection is the only way to stop it then.
  std::chrono::nanoseconds abandoned_for = std::chrono::seconds(60);
};

class Worker final : private PeerOwner {
 public:
  Worker(event_base* base, SnapshotPtr snapshot, const WorkerContext& context);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Authenticates a connection that was accepted on this listener (an index into
  // Config::listeners), then serves or closes it.
  void Accept(size_t listener, ttrpc::UniqueFd socket);
  // Does the same at a workload's own socket.
  void AcceptAtFront(const Ref<ListenerState>& listener, const Ref<WorkloadState>& front,
                     ttrpc::UniqueFd socket);

  // Replaces the configuration. Each peer moves to `snapshot`, or is closed if no rule admits it
  // any more: before its next message is handled, or in one of the following wake-ups.
  void Reload(SnapshotPtr snapshot);

  // Makes peers follow changes of the workloads: those that are gone or have another address.
  void OnWorkloadsChanged();
  // Ends the calls at the own sockets of workloads whose last calls are over, and closes the peers.
  void EndGone();

  // Refuses new calls and closes each peer after its last call. `done` is called when no peer is
  // left, possibly at once.
  void Drain(std::function<void()> done);
  // Answers all calls in flight, and closes each peer once its answers are written.
  void EndDrain();
  // Closes all peers now. Bytes that they have not read are lost.
  void Close();

  ttrpc::IoLoop& loop() { return loop_; }
  // The latest generation, which new peers belong to.
  const Ref<Generation>& generation() const { return generation_; }
  const LabeledCounters& labeled_counters() const { return labeled_counters_; }
  const std::list<Peer>& peers() const { return peers_; }
  // Returns null if no peer has this id.
  Peer* FindPeer(uint64_t id);
  // Returns whether a listener of this name is configured or still has peers.
  bool KnowsListener(std::string_view name) const;
  // Closes peers of the listeners of this name, with ids up to `last_peer`, until its turn of the
  // loop is over. Returns how many were closed; 0 means that none are left.
  size_t CloseSome(std::string_view listener, uint64_t last_peer);
  uint64_t last_peer_id() const { return last_peer_id_; }
  WorkerCounters& counters() { return counters_; }
  const BackendLimits& backend_limits() const { return backend_limits_; }

 private:
  // A connection that waits for its groups to be read.
  struct Newcomer {
    NewPeer peer;
    ttrpc::UniqueFd socket;
    std::unique_ptr<GroupReader::Request> request;
  };
  using Newcomers = std::list<Newcomer>;

  void OnPeerGrew(Peer& peer) override;
  void OnPeerClosed(Peer& peer) override;

  const LimitsConfig& limits() const { return generation_->config().limits; }
  void Authenticate(NewPeer peer, ttrpc::UniqueFd socket);
  void AwaitGroups(Newcomers::iterator newcomer);
  bool TakeSlot(NewPeer* peer);
  void Admit(NewPeer peer, ttrpc::UniqueFd socket);
  void RefusePeer(NewPeer* peer, std::optional<ttrpc::StatusCode> code, const AuditCause& cause);
  void LogRemovedListeners() const;
  void AskForGroups();
  void Sweep();
  void OnReaped();
  uint64_t MemoryUsed() const;

  WorkerContext context_;
  ttrpc::IoLoop loop_;
  LabeledCounters labeled_counters_;
  Ref<Generation> generation_;
  BackendLimits backend_limits_;
  DeadlineQueue backend_write_deadlines_;
  DeadlineQueue abandoned_deadlines_;
  WorkerCounters counters_;
  uint64_t last_peer_id_ = 0;
  std::chrono::steady_clock::time_point log_no_credentials_again_{};
  ttrpc::RequestView request_buffer_;
  GuardedValues guarded_values_;
  SpareCalls spare_calls_;
  const BackendContext backend_context_;
  SharedBackends shared_backends_;
  GroupReader group_reader_;
  UserNameReader user_names_;
  bool draining_ = false;
  std::function<void()> drained_;
  const PeerContext peer_context_;
  Newcomers newcomers_;
  std::list<Peer> peers_;
  // The first peer that may still belong to an older generation.
  std::list<Peer>::iterator sweep_ = peers_.end();
  ttrpc::Timer sweeper_;
  Pressure pressure_;
  Memory memory_;
  Reaper reaper_;  // last, so that it destroys its objects before what they use
};

}  // namespace proxyd
