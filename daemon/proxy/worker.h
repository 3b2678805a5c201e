// SPDX-License-Identifier: Apache-2.0
//
// Worker: an event loop with its peers. Nothing of a peer ever leaves it. It owns the peers, and
// keeps what has ended until no callback of it can be running. On its own thread.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "config/config.h"
#include "observe/audit.h"
#include "observe/reports.h"
#include "observe/tally.h"
#include "policy/accounting.h"
#include "policy/snapshot.h"
#include "proxy/call.h"
#include "proxy/counters.h"
#include "proxy/deadline_queue.h"
#include "proxy/generation.h"
#include "proxy/pressure.h"
#include "proxy/ref.h"
#include "proxy/shared_backends.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/request.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class BackendConnection;
class Peer;

// What a worker shares with others; outlives it.
struct WorkerContext {
  Reports& reports;
  Accounting& accounting;
  // Go's client and server count streams in 31 bits. A backend connection that has come this far,
  // well before their end, takes no more calls, and is closed after its last.
  uint32_t last_stream_id = 0x7f00'0001;
};

class Worker {
 public:
  Worker(event_base* base, SnapshotPtr snapshot, const WorkerContext& context);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // A connection that was accepted on this listener (an index into Config::listeners):
  // authenticates, then serves or closes it.
  void Accept(size_t listener, ttrpc::UniqueFd socket);

  // From here on `snapshot` counts. Peers of a listener that it has, too, go on under it, or are
  // closed if no rule admits them any more; the others keep what they have.
  void Reload(SnapshotPtr snapshot);

  // No new calls; peers go after their last. `done` is called when none is left, perhaps at once.
  void Drain(std::function<void()> done);
  // What is still in flight is answered, and everything closed as soon as that is written.
  void EndDrain();
  // Closes all peers now, whatever they have not read.
  void Close();
  bool draining() const { return draining_; }

  ttrpc::IoLoop& loop() { return loop_; }
  // That new peers get.
  const Ref<Generation>& generation() const { return generation_; }
  // Of all peers alike.
  const LimitsConfig& limits() const { return generation_->config().limits; }
  Audit& audit() { return context_.reports.audit(); }
  Reports& reports() { return context_.reports; }
  uint32_t last_stream_id() const { return context_.last_stream_id; }
  const Accounting& accounting() const { return context_.accounting; }
  const Tally& tally() const { return tally_; }
  const std::list<Peer>& peers() const { return peers_; }
  // Null: there is none with this id.
  Peer* FindPeer(uint64_t id);
  Pressure& pressure() { return pressure_; }
  SharedBackends& shared_backends() { return shared_backends_; }
  DeadlineQueue& backend_write_deadlines() { return backend_write_deadlines_; }
  Counters& counters() { return counters_; }
  // Calls come and go with every message: some are kept for the next.
  std::unique_ptr<Call> NewCall(const StreamState& state);
  void Recycle(std::unique_ptr<Call> call);
  // For the request at hand; free again when its handling returns.
  ttrpc::RequestView& request_buffer() { return request_buffer_; }

  // Destroys it once this wake-up's callbacks have returned.
  void Bury(Peer* peer);
  void Bury(std::unique_ptr<BackendConnection> connection);
  void ReapSoon();

 private:
  void RefusePeer(AuditRecord record);
  void Reap();

  WorkerContext context_;
  ttrpc::IoLoop loop_;
  Tally tally_;
  Ref<Generation> generation_;
  DeadlineQueue backend_write_deadlines_;
  Counters counters_;
  uint64_t last_peer_id_ = 0;
  std::chrono::steady_clock::time_point log_no_credentials_again_{};
  ttrpc::RequestView request_buffer_;
  std::vector<std::unique_ptr<Call>> spare_calls_;
  ttrpc::Timer reaper_;
  SharedBackends shared_backends_;
  std::list<Peer> peers_;
  std::list<Peer> dead_peers_;
  Pressure pressure_;
  std::vector<std::unique_ptr<BackendConnection>> dead_connections_;
  bool draining_ = false;
  std::function<void()> drained_;
};

}  // namespace proxyd
