// SPDX-License-Identifier: Apache-2.0
//
// Worker: an event loop with its peers. It decides whether a connection is admitted, and owns what
// its peers share; nothing of a peer ever leaves it. On its own thread.
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
#include "proxy/worker_counters.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/request.h"

namespace proxyd {

// What a worker shares with others; outlives it.
struct WorkerContext {
  Reports& reports;
  Accounting& accounting;
  // Go's client and server count streams in 31 bits. A backend connection that has come this far,
  // well before their end, takes no more calls, and is closed after its last.
  uint32_t last_stream_id = 0x7f00'0001;
  // RLIMIT_NOFILE.
  uint64_t descriptors = UINT64_MAX;
  // How long a backend may take for calls on a connection that others share, once their peer has
  // left. Only the end of the connection stops it then.
  std::chrono::nanoseconds abandoned_for = std::chrono::seconds(60);
};

class Worker final : private PeerOwner {
 public:
  Worker(event_base* base, SnapshotPtr snapshot, const WorkerContext& context);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // A connection that was accepted on this listener (an index into Config::listeners):
  // authenticates, then serves or closes it.
  void Accept(size_t listener, ttrpc::UniqueFd socket);

  // From here on `snapshot` counts. Peers go on under it, or are closed if no rule admits them any
  // more: each before its next message is looked at, the rest in the wake-ups to come.
  void Reload(SnapshotPtr snapshot);

  // No new calls; peers go after their last. `done` is called when none is left, perhaps at once.
  void Drain(std::function<void()> done);
  // What is still in flight is answered, and everything closed as soon as that is written.
  void EndDrain();
  // Closes all peers now, whatever they have not read.
  void Close();

  ttrpc::IoLoop& loop() { return loop_; }
  // The latest, under which new peers come.
  const Ref<Generation>& generation() const { return generation_; }
  const LabeledCounters& labeled_counters() const { return labeled_counters_; }
  const std::list<Peer>& peers() const { return peers_; }
  // Null if there is none with this id.
  Peer* FindPeer(uint64_t id);
  // Whether there is, or still has peers, a listener of this name.
  bool KnowsListener(std::string_view name) const;
  // Closes peers of listeners of this name, up to this id, for no longer than others may wait. How
  // many; 0: there are none.
  size_t CloseSome(std::string_view listener, uint64_t last_peer);
  uint64_t last_peer_id() const { return last_peer_id_; }
  WorkerCounters& counters() { return counters_; }
  const BackendLimits& backend_limits() const { return backend_limits_; }

 private:
  // A connection whose groups are being read.
  struct Newcomer {
    NewPeer peer;
    ttrpc::UniqueFd socket;
    std::unique_ptr<GroupReader::Request> request;
  };
  using Newcomers = std::list<Newcomer>;

  void OnPeerGrew(Peer& peer) override;
  void OnPeerClosed(Peer& peer) override;

  const LimitsConfig& limits() const { return generation_->config().limits; }
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
  bool draining_ = false;
  std::function<void()> drained_;
  const PeerContext peer_context_;
  Newcomers newcomers_;
  std::list<Peer> peers_;
  // The first that may not have come to the generation yet.
  std::list<Peer>::iterator sweep_ = peers_.end();
  ttrpc::Timer sweeper_;
  Pressure pressure_;
  Memory memory_;
  Reaper reaper_;  // the last, so that what has ended goes before what it belongs to
};

}  // namespace proxyd
