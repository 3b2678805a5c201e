// SPDX-License-Identifier: Apache-2.0
//
// Listener: one listening socket of the daemon, and the connections that are accepted on it. It
// runs on the loop's thread.
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
  // `connected` is non-blocking; `index` is the one in the listener's SocketConfig.
  std::function<void(size_t index, ttrpc::UniqueFd connected)> accepted;
  // The listener cannot accept and pauses because of `error_number`, or accepts again if that is 0.
  // May be null.
  std::function<void(const std::string& label, int error_number)> paused;
};

// Logs what ListenerCallbacks::paused reports.
void LogPause(const std::string& label, int error_number);

class Listener {
 public:
  // `loop` and `callbacks` must outlive the listener.
  Listener(ttrpc::IoLoop& loop, const ListenerCallbacks& callbacks, SocketConfig config,
           BoundSocket socket);
  // Stops listening. Removes the socket's path unless TakeSocket() was called.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The configuration that was set last.
  const SocketConfig& config() const { return config_; }
  // Sets the configuration after a reload; the address must be the same.
  void Become(SocketConfig config) { config_ = std::move(config); }

  // While false, connections wait in the socket's queue. Initially true.
  void SetAccepting(bool accepting);
  // Changes who may connect from now on; see ListeningSocket.
  ttrpc::Status SetAccess(const ttrpc::ListeningSocketOptions& options) {
    return socket_.SetAccess(options);
  }
  // See BoundSocket.
  std::optional<ttrpc::ListeningSocket::Files> files() const { return socket_.files(); }
  // Lets the caller remove the path, which may block, on another thread. The listener must be
  // destroyed afterwards.
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
