// SPDX-License-Identifier: Apache-2.0
//
// Connector: one attempt at a time to connect to an address, of any kind, which never waits in the
// kernel. On the loop's thread.
//
// For programs that read and write messages themselves, as proxies do: may change in any release.
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
  std::chrono::nanoseconds timeout{0};  // for the whole attempt; 0: none
  // Called with a connected Unix socket, which it only borrows, before a byte is sent over it; not
  // with vsock, of whose other side the kernel says nothing. An error is the outcome. It must not
  // destroy the connector.
  std::function<Status(int socket)> check = nullptr;
};

class Connector {
 public:
  // A connected, non-blocking socket, which is the caller's; if the address names a port of a
  // virtual machine, the port has answered. Or a status, whose message does not name the address:
  // - NOT_FOUND: there is no such Unix socket, or nobody listens on it
  // - UNAVAILABLE: there is no such virtual machine, or it refuses the port
  // - RESOURCE_EXHAUSTED: there is no descriptor or no memory for another socket here
  // - DEADLINE_EXCEEDED: the timeout has passed
  // - the status that `check` returned
  // - UNKNOWN: anything else
  using Outcome = Result<UniqueFd>;

  // `loop` must outlive the connector. The loop calls `done` with each outcome that Start() has not
  // returned; `done` may call Start() again, and must not destroy the connector.
  Connector(IoLoop& loop, std::function<void(Outcome)> done);
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;
  // Stop().
  ~Connector();

  // Begins an attempt, in the place of one that is under way. Returns the outcome if it is known at
  // once, as for most Unix sockets; `done` is not called then.
  std::optional<Outcome> Start(Address address, ConnectorOptions options = {});
  // Abandons the attempt: `done` is not called.
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
  std::unique_ptr<HybridVsockAnswer> answer_;  // awaited over a connected socket; else null
};

}  // namespace ttrpc
