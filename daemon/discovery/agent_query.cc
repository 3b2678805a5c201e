// SPDX-License-Identifier: Apache-2.0
#include "discovery/agent_query.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

#include "discovery/found_text.h"

namespace proxyd {

using ttrpc::Address;
using ttrpc::ErrnoStatus;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

// Connection: close lets the shim end a body without a length.
constexpr std::string_view kRequest =
    "GET /agent-url HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

// A shim binds its socket a moment before it listens, and no event reports the latter.
constexpr std::chrono::milliseconds kConnectAgain{50};

Status CheckShim(int socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    return ErrnoStatus(errno, "the shim's credentials");
  }
  if (peer.uid == 0 || peer.uid == ::geteuid()) return {};
  return {StatusCode::kPermissionDenied,
          "uid " + std::to_string(peer.uid) +
              " listens on it, which is neither root nor the daemon's user"};
}

Result<Address> AddressOfAgent(const std::string& body) {
  Result<Address> address = ParseFoundAddress(body);
  if (!address) {
    return Status(address.error().code(),
                  "the agent's address " + ShownText(body) + ": " + address.error().message());
  }
  const Address::Kind kind = address->kind();
  if (kind == Address::Kind::kVsock || kind == Address::Kind::kHybridVsock) return address;
  return Status(StatusCode::kInvalidArgument,
                "the agent's address " + ShownText(body) + " is not in a virtual machine");
}

}  // namespace

void AgentQuery::Prepare(PollSet* set) const {
  set->WakeBy(socket_ ? deadline_ : std::min(deadline_, next_));
  if (!socket_) return;
  const short events = sent_ < kRequest.size() ? POLLOUT : POLLIN;
  set->files.push_back({.fd = socket_.get(), .events = events, .revents = 0});
}

std::optional<Result<Address>> AgentQuery::Advance(PollSet::TimePoint now) {
  Status status;
  if (!socket_ && now >= next_) status = Connect(now);
  if (status.ok() && socket_) status = Send();
  if (status.ok() && socket_ && sent_ == kRequest.size()) status = Receive();
  if (status.ok() && answer_.done()) {
    return answer_.result() ? AddressOfAgent(*answer_.result())
                            : Result<Address>(answer_.result().error());
  }
  if (status.ok() && now >= deadline_) {
    status = Status(StatusCode::kDeadlineExceeded, "no answer within 2 s");
  }
  if (status.ok()) return std::nullopt;
  return Result<Address>(std::move(status));
}

Status AgentQuery::Connect(PollSet::TimePoint now) {
  ttrpc::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return ErrnoStatus(errno, "a socket");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // The path through the open directory fits in any case.
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory_.get(),
                kShimMonitor);
  int error = 0;
  do {
    const auto* const raw = reinterpret_cast<const sockaddr*>(&address);
    error = ::connect(socket.get(), raw, sizeof address) == 0 ? 0 : errno;
  } while (error == EINTR);
  if (error == EAGAIN || error == ECONNREFUSED) {
    next_ = now + kConnectAgain;
    return {};
  }
  if (error != 0) return ErrnoStatus(error, "connect");
  if (Status status = CheckShim(socket.get()); !status.ok()) return status;
  socket_ = std::move(socket);
  return {};
}

Status AgentQuery::Send() {
  while (sent_ < kRequest.size()) {
    const std::string_view rest = kRequest.substr(sent_);
    const ssize_t count = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return {};
    if (count < 0) return ErrnoStatus(errno, "send");
    sent_ += static_cast<size_t>(count);
  }
  return {};
}

Status AgentQuery::Receive() {
  char buffer[4096];
  while (!answer_.done()) {
    const ssize_t count = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return {};
    if (count < 0) return ErrnoStatus(errno, "receive");
    if (count == 0) {
      answer_.End();
    } else {
      answer_.Take({buffer, static_cast<size_t>(count)});
    }
  }
  return {};
}

}  // namespace proxyd
