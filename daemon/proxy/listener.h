// SPDX-License-Identifier: Apache-2.0
//
// Listener: a socket of a configured listener, and the connections that are accepted on it. Says in
// the log when it has to pause. On the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#include "config/config.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/listening_socket.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/acceptor.h"

namespace proxyd {

class Listener {
 public:
  using AcceptFunction = std::function<void(size_t listener, ttrpc::UniqueFd)>;

  // `index`: of `config` in Config::listeners, with which `accept` is called; the sockets given to
  // it are non-blocking. `loop` must outlive this.
  Listener(ttrpc::IoLoop& loop, size_t index, const ListenerConfig& config,
           ttrpc::ListeningSocket socket, AcceptFunction accept);
  // Stops listening and removes the socket, unless it was taken.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // As it was last told.
  const ListenerConfig& config() const { return config_; }

  // Who may connect, from here on; see ListeningSocket.
  ttrpc::Status SetAccess(const ttrpc::ListeningSocketOptions& options) {
    return socket_.SetAccess(options);
  }
  // Removing its path may block, which whoever takes it can do elsewhere. This is then to go.
  ttrpc::ListeningSocket TakeSocket() { return std::move(socket_); }
  // It is this one in the configuration that counts now.
  void Become(size_t index, const ListenerConfig& config);

 private:
  ttrpc::AcceptorCallbacks Callbacks();

  size_t index_;
  ListenerConfig config_;
  AcceptFunction accept_;
  ttrpc::ListeningSocket socket_;
  ttrpc::Acceptor acceptor_;
};

}  // namespace proxyd
