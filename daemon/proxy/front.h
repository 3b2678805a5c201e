// SPDX-License-Identifier: Apache-2.0
//
// Front: a workload's own socket, and the connections that are accepted on it. The follower made
// the socket, and removes its path. It runs on the loop's thread.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "ttrpc/io_loop.h"
#include "ttrpc/listening_socket.h"
#include "ttrpc/status.h"
#include "ttrpc/wire/acceptor.h"

namespace proxyd {

class Front {
 public:
  // `loop` must outlive the front.
  Front(ttrpc::IoLoop& loop, ttrpc::ListeningSocket socket, ttrpc::AcceptorCallbacks callbacks)
      : socket_(std::move(socket)),
        acceptor_(std::make_unique<ttrpc::Acceptor>(loop, socket_.fd(), std::move(callbacks))) {}

  std::string path() const { return socket_.path(); }
  // Changes who may connect from now on; see ListeningSocket.
  ttrpc::Status SetAccess(const ttrpc::ListeningSocketOptions& options) {
    return socket_.SetAccess(options);
  }
  // Stops listening. The caller must remove the path on another thread, because that may block, and
  // must then destroy the front.
  ttrpc::ListeningSocket TakeSocket() {
    acceptor_.reset();
    return std::move(socket_);
  }

 private:
  ttrpc::ListeningSocket socket_;
  std::unique_ptr<ttrpc::Acceptor> acceptor_;
};

}  // namespace proxyd
