// SPDX-License-Identifier: Apache-2.0
//
// Listener: a socket at which we can be reached, and the connections that are accepted on it. On
// the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "proxy/bound_socket.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/acceptor.h"

namespace proxyd {

struct ListenerCallbacks {
  // The connection is non-blocking; `index` is that of the listener's SocketConfig.
  std::function<void(size_t index, ttrpc::UniqueFd connected)> accepted;
  // It cannot accept, and pauses, or does so no more, then with 0. May be null.
  std::function<void(const std::string& label, int error_number)> paused;
};

// For ListenerCallbacks::paused.
void LogPause(const std::string& label, int error_number);

class Listener {
 public:
  // `loop` and `callbacks` must outlive it.
  Listener(ttrpc::IoLoop& loop, const ListenerCallbacks& callbacks, SocketConfig config,
           BoundSocket socket);
  // Stops listening and removes the socket, unless it was taken.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // As it was last set.
  const SocketConfig& config() const { return config_; }
  // It has the same address in the configuration that counts now.
  void Become(SocketConfig config) { config_ = std::move(config); }

  // False: connections wait in the socket's queue. At first true.
  void SetAccepting(bool accepting);
  // Sets who may connect from here on; see ListeningSocket.
  ttrpc::Status SetAccess(const ttrpc::ListeningSocketOptions& options) {
    return socket_.SetAccess(options);
  }
  // See BoundSocket.
  std::optional<ttrpc::ListeningSocket::Files> files() const { return socket_.files(); }
  // The caller can remove its path, which may block, on another thread. This is then to go.
  BoundSocket TakeSocket() { return std::move(socket_); }

 private:
  ttrpc::AcceptorCallbacks Callbacks();

  ttrpc::IoLoop& loop_;
  const ListenerCallbacks& callbacks_;
  SocketConfig config_;
  BoundSocket socket_;
  std::unique_ptr<ttrpc::Acceptor> acceptor_;
};

}  // namespace proxyd
