// SPDX-License-Identifier: Apache-2.0
#include "socket_io.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

namespace bench {
namespace {

constexpr int kBacklog = 4096;  // a proxy may open thousands of connections at once
constexpr time_t kConnectSeconds = 10;
constexpr size_t kFirstCapacity = 16U << 10;
constexpr size_t kLargestRead = 1U << 20;

ttrpc::UniqueFd NewSocket() {
  ttrpc::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) FailErrno("socket");
  return fd;
}

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) Fail("bad socket path: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

void MakeNonBlocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) FailErrno("fcntl");
}

}  // namespace

void Fail(const std::string& what) {
  (void)std::fprintf(stderr, "error: %s\n", what.c_str());
  std::exit(1);
}

void FailErrno(const std::string& what) {
  Fail(what + ": " + std::error_code(errno, std::generic_category()).message());
}

ttrpc::UniqueFd ListenUnix(const std::string& path) {
  ttrpc::UniqueFd fd = NewSocket();
  const sockaddr_un address = UnixAddress(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0 ||
      ::listen(fd.get(), kBacklog) < 0) {
    FailErrno("cannot listen on " + path);
  }
  MakeNonBlocking(fd.get());
  return fd;
}

ttrpc::UniqueFd ConnectUnix(const std::string& path) {
  ttrpc::UniqueFd fd = NewSocket();
  // While the listener's queue is full, connect(2) on a Unix socket waits for the send timeout.
  const timeval timeout{.tv_sec = kConnectSeconds, .tv_usec = 0};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0) {
    FailErrno("setsockopt");
  }
  const sockaddr_un address = UnixAddress(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) {
    FailErrno("cannot connect to " + path);
  }
  MakeNonBlocking(fd.get());
  return fd;
}

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) FailErrno("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) < 0) FailErrno("setrlimit");
}

void InBuffer::MakeRoom() {
  const size_t held = end_ - begin_;
  // The last read filled the buffer, so the buffer grows. A message must fit as a whole.
  size_t capacity = std::max(capacity_, kFirstCapacity);
  if (end_ == capacity_ && capacity < kLargestRead) capacity = std::max(capacity, 2 * capacity_);
  capacity = std::max(capacity, wanted_);
  if (capacity > capacity_) {
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
    if (held > 0) std::memcpy(bytes.get(), bytes_.get() + begin_, held);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  } else if (held > 0 && begin_ > 0) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, held);
  }
  begin_ = 0;
  end_ = held;
}

InBuffer::ReadResult InBuffer::ReadFrom(int fd) {
  MakeRoom();
  const ssize_t count = ::read(fd, bytes_.get() + end_, capacity_ - end_);
  if (count > 0) {
    end_ += static_cast<size_t>(count);
    return ReadResult::kRead;
  }
  if (count == 0 || errno == ECONNRESET) return ReadResult::kEnd;
  if (errno == EAGAIN || errno == EINTR) return ReadResult::kNothing;
  FailErrno("read");
}

std::optional<Message> InBuffer::NextMessage() {
  const size_t held = end_ - begin_;
  wanted_ = 0;
  if (held < ttrpc::kMessageHeaderLength) return std::nullopt;
  const char* const start = bytes_.get() + begin_;
  const ttrpc::MessageHeader header = ttrpc::DecodeMessageHeader(start);
  if (header.length > ttrpc::kDefaultMessageSize) {
    Fail("message of " + std::to_string(header.length) + " bytes: the stream is out of step");
  }
  const size_t length = ttrpc::kMessageHeaderLength + header.length;
  if (held < length) {
    wanted_ = length;
    return std::nullopt;
  }
  begin_ += length;
  return Message{.header = header, .data = {start + ttrpc::kMessageHeaderLength, header.length}};
}

bool OutBuffer::Flush(int fd) {
  while (sent_ < bytes_.size()) {
    const ssize_t count = ::send(fd, bytes_.data() + sent_, bytes_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return true;
      if (errno == EPIPE || errno == ECONNRESET) return false;
      FailErrno("write");
    }
    sent_ += static_cast<size_t>(count);
  }
  bytes_.clear();
  sent_ = 0;
  return true;
}

void Interest::Set(int epoll_fd, int fd, uint32_t events, uint64_t tag) {
  if (events_ == events) return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  const int operation = events_ ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(epoll_fd, operation, fd, &event) < 0) FailErrno("epoll_ctl");
  events_ = events;
}

}  // namespace bench
