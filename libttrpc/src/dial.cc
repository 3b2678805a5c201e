// SPDX-License-Identifier: Apache-2.0
#include "dial.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>

#include "sleep.h"

namespace ttrpc {

namespace {

// A Unix socket whose accept queue is full says EAGAIN, and cannot be waited for.
constexpr auto kFirstRetry = std::chrono::milliseconds(1);
constexpr auto kLongestRetry = std::chrono::milliseconds(50);

Status Unavailable(const Address& address, int error_number) {
  return {StatusCode::kUnavailable,
          address.ToString() + ": " + std::generic_category().message(error_number)};
}

// 0, or errno's number.
int Connect(int socket, const Address& address) {
  sockaddr_un where;
  const socklen_t length = address.ToSockaddr(&where);
  int result = 0;
  do {
    result = ::connect(socket, reinterpret_cast<const sockaddr*>(&where), length);
  } while (result < 0 && errno == EINTR);
  return result < 0 ? errno : 0;
}

}  // namespace

Task<Result<UniqueFd>> ConnectTo(IoLoop& loop, Address address) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) co_return Unavailable(address, errno);
  std::chrono::milliseconds delay = kFirstRetry;
  int error_number = Connect(socket.get(), address);
  while (error_number == EAGAIN) {
    co_await Sleep(loop, delay);
    delay = std::min(delay * 2, kLongestRetry);
    error_number = Connect(socket.get(), address);
  }
  if (error_number != 0) co_return Unavailable(address, error_number);
  co_return std::move(socket);
}

}  // namespace ttrpc
