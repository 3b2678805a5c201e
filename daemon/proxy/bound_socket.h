// SPDX-License-Identifier: Apache-2.0
//
// BoundSocket: a socket at which we can be reached ([[listener]], [admin], [metrics]), and what the
// configuration says of it. Any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/config.h"
#include "ttrpc/listening_socket.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

struct SocketConfig {
  std::string label;  // as messages call it: `listener "NAME"`, `[admin]`
  size_t index = 0;   // in Config::listeners
  std::variant<ttrpc::Address, PassedSocket, TcpAddress> address;
  SocketAccess access;  // only for a path
};

// As the configuration has it. It tells a socket from all others.
std::string AddressOf(const SocketConfig& socket);

// Null: no path, and so nobody to keep out by it. What is not given is what a new socket would
// have.
std::unique_ptr<ttrpc::ListeningSocketOptions> AccessOf(const SocketConfig& socket);

std::vector<SocketConfig> SocketsOf(const std::vector<ListenerConfig>& listeners);
std::vector<SocketConfig> SocketsOf(const std::optional<AdminConfig>& admin);
std::vector<SocketConfig> SocketsOf(const std::optional<MetricsConfig>& metrics);

class BoundSocket {
 public:
  // Listens already, non-blocking. Its end removes its path, which may block.
  explicit BoundSocket(ttrpc::ListeningSocket socket) : socket_(std::move(socket)) {}
  // A new one; `socket` is not passed to us.
  static ttrpc::Result<BoundSocket> Make(const SocketConfig& socket);

  // A new one where the path of another socket, which `files` identify, was removed; none: the path
  // is still that socket's. See ListeningSocket::Recreate().
  static ttrpc::Result<std::optional<BoundSocket>> Remake(
      const SocketConfig& socket, const ttrpc::ListeningSocket::Files& files);

  int fd() const;
  // None: it has no path of its own.
  std::optional<ttrpc::ListeningSocket::Files> files() const;
  // Only of a path; see ListeningSocket.
  ttrpc::Status SetAccess(const ttrpc::ListeningSocketOptions& options);

 private:
  explicit BoundSocket(ttrpc::UniqueFd tcp) : socket_(std::move(tcp)) {}

  std::variant<ttrpc::ListeningSocket, ttrpc::UniqueFd> socket_;  // Unix or TCP
};

}  // namespace proxyd
