// SPDX-License-Identifier: Apache-2.0
//
// Proxy: the daemon's work, put together. The story of a call:
//
// - listening_socket: a socket that only those who may can reach, and that was nobody else's
// - listener_set, listener: the sockets of the configuration; a connection is accepted
// - worker: asks the kernel who the peer is, and the policy whether it has any business here
// - group_reader: which of its groups the rules tell apart, without keeping others waiting
// - generation: the configuration and the policy that count for it
// - listener_state: the listener that it came by, which follows the socket through reloads
// - peer: receives each message; peer_request: takes a request from its message to a backend
// - request_check: id, envelope, names, metadata, flags, policy, …: whether the request may pass
// - peer_outcomes: where that is counted and reported, and how a call ended
// - request_rules: what holds for every request, and what is changed in it
// - call, stream_state: the call that was allowed, and which messages may follow on it
// - backend, dialer: which of its addresses is worth trying, and is it whom we expect
// - backend_connection: renumbered and written anew, the request goes out; answers find their call
// - peer: the answer goes back on the peer's own stream id
// - peer_audit: the audit records of a peer
//
// Everything on the thread that runs the loop.
#pragma once

#include <functional>
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
  std::vector<ListenerAddress> addresses() const { return listeners_.addresses(); }
  // What of a reload can fail, done, for Reload(), which cannot: see ListenerSet. Not while it
  // drains.
  ttrpc::Result<ListenerSet::Change> PrepareReload(const Config& after,
                                                   ListenerSet::NewSockets made) {
    return listeners_.Prepare(after, std::move(made));
  }
  // All of the configuration but [daemon]. `change`: prepared for it. Returns what
  // ListenerSet::Commit() does.
  [[nodiscard]] std::vector<ttrpc::ListeningSocket> Reload(SnapshotPtr snapshot,
                                                           ListenerSet::Change change);

  // Removes the listeners at once, lets calls in flight finish for drain_timeout, answers what is
  // left. Then, once, `done`.
  void Drain(std::function<void()> done);

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
