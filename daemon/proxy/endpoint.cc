// SPDX-License-Identifier: Apache-2.0
#include "proxy/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "proxy/listener_set.h"

namespace proxyd {

using ttrpc::ListeningSocket;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::UniqueFd;

namespace {

constexpr int kTcpBacklog = 64;

Result<UniqueFd> ListenOnTcp(const TcpAddress& address) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(address.port);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  const bool is_v4 = ::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1;
  if (!is_v4) ::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr);
  const auto* where =
      is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
  const socklen_t length = is_v4 ? sizeof v4 : sizeof v6;

  UniqueFd socket(
      ::socket(where->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  // Or the connections of the daemon before this one would keep it from starting for a minute.
  const int on = 1;
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket.get(), where, length) != 0 || ::listen(socket.get(), kTcpBacklog) != 0) {
    const int error = errno;
    return ttrpc::ErrnoStatus(error, ToString(address));
  }
  return socket;
}

Result<Endpoint::Socket> MakeSocket(const Endpoint::Place& place) {
  if (const auto* tcp = std::get_if<TcpAddress>(&place.address)) {
    auto socket = ListenOnTcp(*tcp);
    if (!socket) return socket.error();
    return Endpoint::Socket(*std::move(socket));
  }
  auto socket =
      ListeningSocket::Create(OptionsOf(std::get<ttrpc::Address>(place.address), place.access));
  if (!socket) return socket.error();
  return Endpoint::Socket(*std::move(socket));
}

}  // namespace

Endpoint::Change::Change(Change&& other) noexcept
    : place_(std::move(other.place_)),
      made_(std::move(other.made_)),
      to_undo_(std::exchange(other.to_undo_, nullptr)) {}

Endpoint::Change::~Change() {
  if (to_undo_ == nullptr) return;
  if (const Status status = to_undo_->SetAccess(to_undo_->place_->access); !status.ok())
    spdlog::error("{}: {}", to_undo_->label_, status.message());
}

Endpoint::Endpoint(ttrpc::IoLoop& loop, std::string label,
                   std::function<void(ttrpc::UniqueFd)> accept)
    : loop_(loop), label_(std::move(label)), accept_(std::move(accept)) {}

Result<Endpoint::Change> Endpoint::Prepare(const std::optional<Place>& place) {
  Change change;
  change.place_ = place;
  if (!place) return change;
  const auto named = [this](const Status& status) {
    return Status(status.code(), label_ + ": " + status.message());
  };
  if (!place_ || place_->address != place->address) {
    auto socket = MakeSocket(*place);
    if (!socket) return named(socket.error());
    change.made_ = *std::move(socket);
  } else if (place_->access != place->access) {
    change.to_undo_ = this;
    if (const Status status = SetAccess(place->access); !status.ok()) return named(status);
  }
  return change;
}

Status Endpoint::SetAccess(const SocketAccess& access) {
  const auto* address = std::get_if<ttrpc::Address>(&place_->address);
  const auto options = address != nullptr ? AccessOf(*address, access) : nullptr;
  return options ? std::get<ListeningSocket>(*socket_).SetAccess(*options) : Status();
}

void Endpoint::Commit(Change change) {
  change.to_undo_ = nullptr;
  if (change.made_ || !change.place_) {
    acceptor_.reset();
    socket_ = std::move(change.made_);
    if (change.place_) {
      spdlog::info("{}: {}", label_, ToString(change.place_->address));
    } else if (place_) {
      spdlog::info("{}: no longer", label_);
    }
  }
  place_ = std::move(change.place_);
  Listen();
}

void Endpoint::SetAccepting(bool accepting) {
  accepting_ = accepting;
  Listen();
}

void Endpoint::Listen() {
  if (!socket_ || !accepting_) {
    acceptor_.reset();
    return;
  }
  if (acceptor_) return;
  const auto* unix_socket = std::get_if<ListeningSocket>(&*socket_);
  ttrpc::AcceptorCallbacks callbacks;
  callbacks.accepted = accept_;
  acceptor_ = std::make_unique<ttrpc::Acceptor>(
      loop_, unix_socket != nullptr ? unix_socket->fd() : std::get<UniqueFd>(*socket_).get(),
      std::move(callbacks));
}

}  // namespace proxyd
