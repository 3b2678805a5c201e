// SPDX-License-Identifier: Apache-2.0
//
// Connector: connects to an address of any kind, one attempt at a time, without blocking. Use it on
// the loop's thread.
//
// This header is for programs that read and write messages themselves, such as proxies. It may
// change in any release.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "ttrpc/address.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

class HybridVsockAnswer;

struct ConnectorOptions {
  std::chrono::nanoseconds timeout{0};  // for the whole attempt; 0: no limit
  // Called with a connected Unix socket before anything is sent over it. Borrows the socket. An
  // error becomes the outcome. Must not destroy the connector. Not called for vsock, since the
  // kernel does not identify the other side of it.
  std::function<Status(int socket)> check = nullptr;
};

class Connector {
 public:
  // The outcome of an attempt. On success, the caller owns the connected, non-blocking socket; if
  // the address names a port of a virtual machine, the port has accepted the connection. Otherwise
  // a status, whose message does not contain the address:
  // - NOT_FOUND: there is no such Unix socket, or nobody listens on it
  // - UNAVAILABLE: there is no such virtual machine, or it refuses the port
  // - RESOURCE_EXHAUSTED: there is no descriptor or no memory for another socket here
  // - DEADLINE_EXCEEDED: the timeout has passed
  // - the status that `check` returned
  // - UNKNOWN: anything else
  using Outcome = Result<UniqueFd>;

  // `loop` must outlive the connector. The loop calls `done` with each outcome that Start() did not
  // return. `done` may call Start() again, and must not destroy the connector.
  Connector(IoLoop& loop, std::function<void(Outcome)> done);
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;
  // Calls Stop().
  ~Connector();

  // Starts an attempt, and abandons one that is in progress. Returns the outcome if it is known at
  // once, as for most Unix sockets; then `done` is not called.
  std::optional<Outcome> Start(Address address, ConnectorOptions options = {});
  // Abandons the attempt. `done` is not called.
  void Stop();

 private:
  std::optional<Outcome> Connect();
  std::optional<Outcome> Connected();
  Outcome Failure(int error_number) const;
  void Await(short events, void (Connector::*ready)());
  void OnWritable();
  void OnReadable();
  void Finish(std::optional<Outcome> outcome);

  IoLoop& loop_;
  std::function<void(Outcome)> done_;
  std::optional<Address> address_;
  ConnectorOptions options_;
  UniqueFd socket_;
  EventPtr event_;
  void (Connector::*ready_)() = nullptr;
  Timer retry_;  // while the accept queue of a Unix socket is full
  std::chrono::milliseconds retry_delay_{0};
  Timer timeout_;
  std::unique_ptr<HybridVsockAnswer> answer_;  // expected from a connected socket; otherwise null
};

}  // namespace ttrpc
