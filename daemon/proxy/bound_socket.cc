// SPDX-License-Identifier: Apache-2.0
#include "proxy/bound_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace proxyd {

using ttrpc::Address;
using ttrpc::ListeningSocket;
using ttrpc::ListeningSocketOptions;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::UniqueFd;

namespace {

constexpr int kTcpBacklog = 64;

ListeningSocketOptions OptionsOf(const Address& address, const SocketAccess& access) {
  ListeningSocketOptions options(address);
  options.owner = access.owner;
  options.group = access.group;
  options.mode = access.mode;
  return options;
}

// Converts an address of any section to the variant that holds all kinds.
template <typename Variant>
decltype(SocketConfig::address) Widened(const Variant& address) {
  return std::visit([](const auto& kind) -> decltype(SocketConfig::address) { return kind; },
                    address);
}

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
  // Without it, TCP connections of the previous daemon would delay this start by a minute.
  const int on = 1;
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket.get(), where, length) != 0 || ::listen(socket.get(), kTcpBacklog) != 0) {
    const int error = errno;
    return ttrpc::ErrnoStatus(error, ToString(address));
  }
  return socket;
}

}  // namespace

std::string AddressOf(const SocketConfig& socket) {
  if (const auto* tcp = std::get_if<TcpAddress>(&socket.address)) return ToString(*tcp);
  if (const auto* passed = std::get_if<PassedSocket>(&socket.address)) return ToString(*passed);
  return std::get<Address>(socket.address).ToString();
}

std::unique_ptr<ListeningSocketOptions> AccessOf(const SocketConfig& socket) {
  const auto* address = std::get_if<Address>(&socket.address);
  if (address == nullptr || address->kind() != Address::Kind::kUnixPath) return nullptr;
  auto options = std::make_unique<ListeningSocketOptions>(OptionsOf(*address, socket.access));
  if (!options->owner) options->owner = ::geteuid();
  if (!options->group) options->group = ::getegid();
  return options;
}

std::vector<SocketConfig> SocketsOf(const std::vector<ListenerConfig>& listeners) {
  std::vector<SocketConfig> sockets;
  sockets.reserve(listeners.size());
  for (const ListenerConfig& listener : listeners) {
    const size_t index = static_cast<size_t>(&listener - listeners.data());
    SocketConfig socket = {.label = "listener \"" + listener.name + "\"",
                           .index = index,
                           .address = PassedSocket{},
                           .access = listener.access};
    if (const auto* address = std::get_if<Address>(&listener.address)) {
      socket.address = *address;
    } else if (const auto* passed = std::get_if<PassedSocket>(&listener.address)) {
      socket.address = *passed;
    } else {
      continue;  // the follower makes a socket for each workload
    }
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

std::vector<SocketConfig> SocketsOf(const std::optional<AdminConfig>& admin) {
  if (!admin) return {};
  return {{.label = "[admin]", .index = 0, .address = admin->address, .access = admin->access}};
}

std::vector<SocketConfig> SocketsOf(const std::optional<MetricsConfig>& metrics) {
  if (!metrics) return {};
  return {{.label = "[metrics]",
           .index = 0,
           .address = Widened(metrics->address),
           .access = metrics->access}};
}

Result<BoundSocket> BoundSocket::Make(const SocketConfig& config) {
  if (const auto* tcp = std::get_if<TcpAddress>(&config.address)) {
    auto socket = ListenOnTcp(*tcp);
    if (!socket) return socket.error();
    return BoundSocket(*std::move(socket));
  }
  auto socket =
      ListeningSocket::Create(OptionsOf(std::get<Address>(config.address), config.access));
  if (!socket) return socket.error();
  return BoundSocket(*std::move(socket));
}

Result<std::optional<BoundSocket>> BoundSocket::Remake(const SocketConfig& config,
                                                       const ListeningSocket::Files& files) {
  auto socket =
      ListeningSocket::Recreate(OptionsOf(std::get<Address>(config.address), config.access), files);
  if (!socket) return socket.error();
  if (!*socket) return std::optional<BoundSocket>();
  return std::optional<BoundSocket>(BoundSocket(**std::move(socket)));
}

std::optional<ListeningSocket::Files> BoundSocket::files() const {
  const auto* own = std::get_if<ListeningSocket>(&socket_);
  return own != nullptr ? own->files() : std::nullopt;
}

int BoundSocket::fd() const {
  const auto* own = std::get_if<ListeningSocket>(&socket_);
  return own != nullptr ? own->fd() : std::get<UniqueFd>(socket_).get();
}

Status BoundSocket::SetAccess(const ListeningSocketOptions& options) {
  return std::get<ListeningSocket>(socket_).SetAccess(options);
}

}  // namespace proxyd
