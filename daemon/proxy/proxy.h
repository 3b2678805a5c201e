// SPDX-License-Identifier: Apache-2.0
//
// Proxy: the daemon's work, put together. The story of a call:
//
// - listening_socket: a socket that only those who may can reach, and that was nobody else's
// - listener: accepts a connection
// - worker: asks the kernel who the peer is, and the policy whether it has any business here
// - peer: takes each message through the checks: id, envelope, names, metadata, flags, policy, …
// - request_rules: what holds for every request, and what is changed in it
// - call, stream_state: the call that was allowed, and which messages may follow on it
// - backend: is it worth trying, and is it whom we expect
// - backend_connection: renumbered and written anew, the request goes out; answers find their call
// - peer: the answer goes back on the peer's own stream id
// - peer_audit: what was decided, and how it ended
//
// Everything on the thread that runs the loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "observe/audit.h"
#include "policy/accounting.h"
#include "policy/policy.h"
#include "proxy/listener.h"
#include "proxy/worker.h"
#include "ttrpc/status.h"
#include "ttrpc/timer.h"

namespace proxyd {

// By name: sockets that the service manager passed. There may be several of a name.
using PassedSockets = std::multimap<std::string, ttrpc::UniqueFd>;

class Proxy {
 public:
  // `base`, `config` and `audit` must outlive it.
  Proxy(event_base* base, const Config& config, Audit& audit);
  ~Proxy();

  // Listens everywhere; takes the sockets that systemd: addresses name out of `passed`. The first
  // listener that cannot is the error: `listener "NAME": WHY`; then none listens.
  ttrpc::Status Listen(PassedSockets* passed);

  // Removes the listeners at once, lets calls in flight finish for drain_timeout, answers what is
  // left. Then, once, `done`.
  void Drain(std::function<void()> done);

  // Turns while its worker does.
  ttrpc::IoLoop& loop() { return worker_.loop(); }
  const Counters& counters() { return worker_.counters(); }

 private:
  ttrpc::Status ListenAt(size_t index, const ttrpc::Address& address);
  ttrpc::Status ListenOnPassed(size_t index, const std::string& name, PassedSockets* passed);
  void Serve(size_t index, ttrpc::ListeningSocket socket);
  void Finish();

  const Config& config_;
  Policy policy_;
  Accounting accounting_;
  Worker worker_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::function<void()> drained_;
  ttrpc::Timer drain_timer_;
  ttrpc::Timer last_moment_;
};

}  // namespace proxyd
