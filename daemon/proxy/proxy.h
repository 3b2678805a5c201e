// SPDX-License-Identifier: Apache-2.0
//
// Proxy: the daemon's work, put together. A unary call passes these files, in this order:
//
// - listener.cc accepts a connection at a socket of the configuration.
// - worker.cc asks the kernel who the peer is, and the policy whether a rule could allow it
//   anything; its user gets a slot for the connection. group_reader.cc reads the groups.
// - peer.cc is the peer's life. Each of its messages goes to the part that it is for.
// - peer_request.cc takes a request from its message to a backend. request_check.cc says whether it
//   may pass, in the order of the contract, which ends with the policy's verdict; the limits
//   follow, and it becomes a call (call.h). request_rules.cc has what is asked of every request and
//   changed in it.
// - peer_outcomes.cc counts and reports what was decided.
// - backend_pool.cc finds a connection to the rule's backend that takes calls, or opens one. The
//   pool is the peer's own, or what the peers of one user share (shared_backends.cc).
// - dialer.cc tries the addresses of the backend (backend.cc) and checks who listens there.
// - backend_connection.cc numbers the call's stream, queues the request, encoded anew, and gives
//   the response to the call's owner.
// - peer_answer.cc sends the response on the peer's own stream id, and ends the call.
// - peer_outcomes.cc counts and reports how the call ended; peer_audit.cc has the audit records.
//
// A call that streams adds stream_state.cc, which says for each message what becomes of it. What a
// reload changes is in listener_set.cc and bound_socket.cc (sockets), listener_state.h (what peers
// know of theirs) and generation.cc (configuration, policy and counters as a worker uses them). A
// peer that is slow or silent, or holds much memory, meets peer_timeouts.cc, peer_flow.cc and
// pressure.cc.
//
// Everything runs on the thread of the loop, except the reading of groups (group_reader.cc) and
// what prepares a reload, which may run on another one (ListenerSet::Make).
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "limits/accounting.h"
#include "observe/reports.h"
#include "policy/snapshot.h"
#include "proxy/listener_set.h"
#include "proxy/worker.h"
#include "ttrpc/status.h"
#include "ttrpc/timer.h"

namespace proxyd {

class Proxy {
 public:
  // `base` and `reports` must outlive it.
  Proxy(event_base* base, SnapshotPtr snapshot, Reports& reports);
  ~Proxy();

  // Listens everywhere; takes the sockets that systemd: addresses name out of `passed`. The first
  // listener that cannot is the error: `listener "NAME": WHY`; then none listens.
  ttrpc::Status Listen(PassedSockets* passed);

  // What ListenerSet::Make() needs of it.
  std::vector<ListenerSet::Here> here() const { return listeners_.here(); }
  // What of a reload can fail, done, for Reload(), which cannot: see ListenerSet. Not while it
  // drains.
  ttrpc::Result<ListenerSet::Change> PrepareReload(const Config& after,
                                                   ListenerSet::NewSockets made) {
    return listeners_.Prepare(SocketsOf(after.listeners), std::move(made));
  }
  // All of the configuration but [daemon]. `change`: prepared for it. Returns what
  // ListenerSet::Commit() does.
  [[nodiscard]] std::vector<BoundSocket> Reload(SnapshotPtr snapshot, ListenerSet::Change change);

  // Removes the listeners at once, lets calls in flight finish for drain_timeout, answers what is
  // left. Then, once, `done`.
  void Drain(std::function<void()> done);

  // Peers and their calls, at this moment.
  struct InFlight {
    size_t peers = 0;  // connected
    size_t calls = 0;
  };
  InFlight in_flight() const;

  // Turns while its worker does.
  ttrpc::IoLoop& loop() { return worker_.loop(); }
  const Config& config() const { return snapshot().config; }
  const Snapshot& snapshot() const { return worker_.generation()->snapshot(); }
  WorkerCounters& counters() { return worker_.counters(); }
  Worker& worker() { return worker_; }
  Accounting& accounting() { return accounting_; }

 private:
  void Finish();

  const Duration drain_timeout_;
  Accounting accounting_;
  Worker worker_;
  ListenerSet listeners_;
  std::function<void()> drained_;
  ttrpc::Timer drain_timer_;
  ttrpc::Timer last_moment_;
};

}  // namespace proxyd
