// SPDX-License-Identifier: Apache-2.0
//
// Proxy: the worker, the listeners and the accounting, put together.
//
// A request passes the files of this directory in this order:
//
// - listener.cc accepts the client's connection on one of the configured sockets.
// - worker.cc asks the kernel who the client is (group_reader.cc reads its groups) and asks the
//   policy whether any rule could allow it a call. If none could, the connection is closed before
//   anything is read from it. Otherwise it takes a connection slot of its user and becomes a Peer.
// - peer.cc receives each message of the peer, already decoded, and passes it to the code that
//   handles it.
// - request_check.cc parses the request envelope and runs the checks of the contract in their
//   order. The policy's decision is one of them. The first check that fails answers the request.
// - peer_request.cc counts the request towards its user's rate, reserves room in the audit, takes a
//   call slot of the user, sets the timeout and the metadata (request_rules.cc), finds a backend
//   connection and creates the call (call.h).
// - backend_pool.cc returns an open connection to the backend of the rule, or opens one. A pool
//   belongs to one peer, or to all peers of one user (shared_backends.cc).
// - dialer.cc connects to one of the backend's addresses (backend.cc) and checks which user listens
//   there.
// - backend_connection.cc gives the call a stream id on that connection and encodes the checked
//   request into its send queue. When the response arrives, it finds the call and its peer.
// - peer_answer.cc queues the response under the peer's own stream id and ends the call.
//
// Along the way, peer_outcomes.cc counts and reports each decision and the end of each call, and
// peer_audit.cc builds the audit records. All that a wake-up of the loop has queued is written at
// its end, with one system call for each connection.
//
// stream_state.cc decides for every later message of a call whether to forward, drop or refuse it.
// At a listener that discovers, a call is also about a workload. follower.cc (daemon/discovery)
// finds them on a thread of its own, and workloads.cc keeps them on the loop. With a template,
// front.h accepts connections for one workload, and peer_workload.cc connects to it at once; else
// the request names its workload. workload_request.cc reads its name from the request, before the
// policy decides, and workload_state.cc has the backend with its address.
//
// A reload passes through listener_set.cc and bound_socket.cc (the sockets), listener_state.h (a
// listener as its peers know it) and generation.cc (the configuration, policy and counters that a
// worker uses). peer_timeouts.cc limits how long a peer may be silent or slow. peer_flow.cc stops
// reading where a send queue is full, and pressure.cc limits the memory of each user.
//
// Everything runs on the loop's thread, with three exceptions: group_reader.cc reads long lists of
// groups on a thread of its own, user_name_reader.cc receives names from the thread of UserNames,
// and ListenerSet::Make() may be called on any thread.
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
#include "proxy/workloads.h"
#include "ttrpc/status.h"
#include "ttrpc/timer.h"

namespace proxyd {

class Proxy {
 public:
  // `base` and `reports` must outlive the proxy.
  Proxy(event_base* base, SnapshotPtr snapshot, Reports& reports);
  ~Proxy();

  // Listens on all configured sockets; those with a systemd: address are taken out of `passed`. If
  // a listener fails, the error is `listener "NAME": WHY` and no listener is open. Starts to follow
  // workloads; their sockets come later.
  ttrpc::Status Listen(PassedSockets* passed);

  // The argument of ListenerSet::Make().
  std::vector<ListenerSet::Here> here() const { return listeners_.here(); }
  // Does the part of a reload that can fail, so that Reload() cannot. See ListenerSet. Must not be
  // called during a drain.
  ttrpc::Result<ListenerSet::Change> PrepareReload(const Config& after,
                                                   ListenerSet::NewSockets made) {
    return listeners_.Prepare(SocketsOf(after.listeners), std::move(made));
  }
  // Applies all of the new configuration but [daemon]. `change` must have been prepared for it.
  // Returns what ListenerSet::Commit() returns.
  [[nodiscard]] std::vector<BoundSocket> Reload(SnapshotPtr snapshot, ListenerSet::Change change);

  // Removes the listeners at once and lets calls in flight finish within drain_timeout. The calls
  // left after that are answered UNAVAILABLE and their peers closed. Then `done` is called, once.
  void Drain(std::function<void()> done);

  // The peers and calls at this moment.
  struct InFlight {
    size_t peers = 0;  // connected
    size_t calls = 0;
  };
  InFlight in_flight() const;

  // Runs as long as the worker does.
  ttrpc::IoLoop& loop() { return worker_.loop(); }
  const Config& config() const { return snapshot().config; }
  const Snapshot& snapshot() const { return worker_.generation()->snapshot(); }
  WorkerCounters& counters() { return worker_.counters(); }
  Worker& worker() { return worker_; }
  Accounting& accounting() { return accounting_; }
  const Workloads& workloads() const { return workloads_; }

 private:
  void Finish();

  const Duration drain_timeout_;
  Accounting accounting_;
  Worker worker_;
  ListenerSet listeners_;
  Workloads workloads_;
  std::function<void()> drained_;
  ttrpc::Timer drain_timer_;
  ttrpc::Timer last_moment_;
};

}  // namespace proxyd
