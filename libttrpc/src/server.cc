// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/server.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "server_core.h"

namespace ttrpc {

namespace {

void MakeNonBlocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

}  // namespace

Server::Server(IoLoop& loop, ServerOptions options)
    : core_(std::make_unique<ServerCore>(loop, std::move(options))) {}

Server::~Server() = default;

Status Server::Register(ServiceDescription service) { return core_->Register(std::move(service)); }

Status Server::Listen(const ListeningSocketOptions& options) {
  Result<ListeningSocket> socket = ListeningSocket::Create(options);
  if (!socket) return socket.error();
  core_->Listen(std::move(*socket));
  return {};
}

Status Server::Listen(const Address& address) { return Listen(ListeningSocketOptions(address)); }

Status Server::Serve(UniqueFd listening) {
  int listens = 0;
  socklen_t length = sizeof listens;
  if (::getsockopt(listening.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0)
    return {StatusCode::kInvalidArgument, ErrnoStatus(errno, "not a socket").message()};
  if (listens == 0) return {StatusCode::kInvalidArgument, "the socket does not listen"};
  MakeNonBlocking(listening.get());
  core_->Listen(std::move(listening));
  return {};
}

void Server::ServeConnection(UniqueFd connected) {
  MakeNonBlocking(connected.get());
  core_->Accept(std::move(connected));
}

void Server::Shutdown(std::chrono::nanoseconds timeout, std::function<void()> done) {
  core_->Shutdown(timeout, std::move(done));
}

void Server::Close() { core_->Close(); }

size_t Server::connections() const { return core_->connections(); }

size_t Server::calls() const { return core_->calls(); }

}  // namespace ttrpc
