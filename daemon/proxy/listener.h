// SPDX-License-Identifier: Apache-2.0
//
// Listener: a configured listener: its socket, and the connections that are accepted on it. Says in
// the log when it has to pause. On the loop's thread.
#pragma once

#include <functional>
#include <string>

#include "ttrpc/acceptor.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/listening_socket.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class Listener {
 public:
  using AcceptFunction = std::function<void(ttrpc::UniqueFd)>;

  // `loop` must outlive it. The sockets given to `accept` are non-blocking.
  Listener(ttrpc::IoLoop& loop, std::string name, ttrpc::ListeningSocket socket,
           AcceptFunction accept);
  // Stops listening and removes the socket.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  ttrpc::AcceptorCallbacks CallbacksOf(AcceptFunction accept);

  std::string name_;
  ttrpc::ListeningSocket socket_;
  ttrpc::Acceptor acceptor_;
};

}  // namespace proxyd
