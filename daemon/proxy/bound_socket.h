// SPDX-License-Identifier: Apache-2.0
//
// BoundSocket: a listening socket of the daemon ([[listener]], [admin] or [metrics]), and its
// configuration. It may be used on any thread.
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
  std::string label;  // its name in messages: `listener "NAME"`, `[admin]`
  size_t index = 0;   // index into Config::listeners
  std::variant<ttrpc::Address, PassedSocket, TcpAddress> address;
  SocketAccess access;  // applies to a socket with a path only
};

// The address as the configuration writes it. It identifies a socket, except that several passed
// sockets may have the same name.
std::string AddressOf(const SocketConfig& socket);

// Returns who may connect, with the defaults of a new socket where nothing is configured. Null if
// the socket has no path: then file permissions do not apply.
std::unique_ptr<ttrpc::ListeningSocketOptions> AccessOf(const SocketConfig& socket);

// A listener with a socket for each workload has none of its own.
std::vector<SocketConfig> SocketsOf(const std::vector<ListenerConfig>& listeners);
std::vector<SocketConfig> SocketsOf(const std::optional<AdminConfig>& admin);
std::vector<SocketConfig> SocketsOf(const std::optional<MetricsConfig>& metrics);

class BoundSocket {
 public:
  // `socket` listens already and is non-blocking. Destroying this removes its path, which may
  // block.
  explicit BoundSocket(ttrpc::ListeningSocket socket) : socket_(std::move(socket)) {}
  // Creates a socket; its address must not be a systemd: one.
  static ttrpc::Result<BoundSocket> Make(const SocketConfig& socket);

  // Creates a socket in place of the one that `files` identify, if that one's path was removed.
  // Returns none if the path is still that socket's. See ListeningSocket::Recreate().
  static ttrpc::Result<std::optional<BoundSocket>> Remake(
      const SocketConfig& socket, const ttrpc::ListeningSocket::Files& files);

  int fd() const;
  // Returns none if the socket has no path that is ours.
  std::optional<ttrpc::ListeningSocket::Files> files() const;
  // The socket must have a path; see ListeningSocket.
  ttrpc::Status SetAccess(const ttrpc::ListeningSocketOptions& options);

 private:
  explicit BoundSocket(ttrpc::UniqueFd tcp) : socket_(std::move(tcp)) {}

  std::variant<ttrpc::ListeningSocket, ttrpc::UniqueFd> socket_;  // a Unix socket, or one for TCP
};

}  // namespace proxyd
