// SPDX-License-Identifier: Apache-2.0
//
// Connector: one attempt to connect to an address, of any kind, which never waits in the kernel. On
// the loop's thread.
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
  std::chrono::nanoseconds timeout{0};  // for all of it; 0: as long as it is left to
  // Asked about a connected Unix socket before a byte is sent over it; not about vsock, of whose
  // other side the kernel says nothing. An error is the outcome.
  std::function<Status(int socket)> check = nullptr;
};

class Connector {
 public:
  // A connected, non-blocking socket, on which the port of a virtual machine answers if the address
  // names one. Or why there is none, in words that do not name the address:
  // - NOT_FOUND: a Unix socket is not there, or nobody listens on it
  // - UNAVAILABLE: the virtual machine is not there, or refuses the port
  // - RESOURCE_EXHAUSTED: there is no descriptor or no memory for another socket here
  // - DEADLINE_EXCEEDED: the timeout has passed
  // - what `check` said
  // - UNKNOWN: anything else
  using Outcome = Result<UniqueFd>;

  // `loop` must outlive it. `done` is called with each outcome that Start() has not returned; it
  // may start the connector anew, and must not destroy it.
  Connector(IoLoop& loop, std::function<void(Outcome)> done);
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;
  // Gives up.
  ~Connector();

  // Begins an attempt, in the place of one that is under way. The outcome if it is known at once,
  // as it is of most Unix sockets; then `done` is not called.
  std::optional<Outcome> Start(Address address, ConnectorOptions options = {});
  // Gives up; nothing is called.
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
  std::unique_ptr<HybridVsockAnswer> answer_;  // that is awaited, over a connected socket
};

}  // namespace ttrpc
