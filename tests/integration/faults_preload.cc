// SPDX-License-Identifier: Apache-2.0
//
// A shared library to be preloaded (LD_PRELOAD) into the daemon. It replaces libc's system calls
// and makes those fail that the page of fault_page.h names. A call that fails here is not made, so
// it has no effect, as in the kernel. Any thread.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "support/fault_page.h"

namespace {

using test::FaultCall;
using test::FaultPage;

FaultPage* page = nullptr;

[[gnu::constructor]] void MapPage() {
  const char* path = std::getenv(test::kFaultPageVariable);
  if (path == nullptr) return;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  void* memory = ::mmap(nullptr, sizeof(FaultPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || memory == MAP_FAILED) std::abort();  // a test without faults would prove nothing
  ::close(fd);
  page = static_cast<FaultPage*>(memory);
}

constexpr size_t kAll = SIZE_MAX;

struct Fate {
  bool fails = false;  // errno if it fails
  size_t most = kAll;  // bytes that the call may handle
};

Fate FateOf(FaultCall call) {
  if (page == nullptr) return {};
  const uint32_t calls = page->calls;
  if ((calls & test::FaultBit(call)) == 0) return {};
  const uint32_t number = ++page->seen;
  const uint32_t first = page->first;
  const uint32_t every = page->every;
  if (number < first) return {};
  if (number != first && (every == 0 || (number - first) % every != 0)) return {};
  ++page->fired;
  const int error = page->error;
  if (error == 0) return {.fails = false, .most = page->most};
  errno = error;
  return {.fails = true, .most = 0};
}

// Returns the next definition, which is libc's or a sanitizer's.
template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// The first blocks of a call, with at most `most` bytes in all.
class Blocks {
 public:
  Blocks(const iovec* blocks, size_t count, size_t most) {
    for (; count_ < std::min(count, blocks_.size()) && most > 0; ++count_) {
      blocks_[count_] = blocks[count_];
      blocks_[count_].iov_len = std::min(blocks[count_].iov_len, most);
      most -= blocks_[count_].iov_len;
    }
  }
  iovec* data() { return blocks_.data(); }
  size_t size() const { return count_; }

 private:
  std::array<iovec, 64> blocks_;
  size_t count_ = 0;
};

}  // namespace

extern "C" {

int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  static auto* const kNext = Next<decltype(::accept4)>("accept4");
  return FateOf(FaultCall::kAccept).fails ? -1 : kNext(fd, address, length, flags);
}

int connect(int fd, const sockaddr* address, socklen_t length) {
  static auto* const kNext = Next<decltype(::connect)>("connect");
  return FateOf(FaultCall::kConnect).fails ? -1 : kNext(fd, address, length);
}

int socket(int domain, int type, int protocol) noexcept {
  static auto* const kNext = Next<decltype(::socket)>("socket");
  return FateOf(FaultCall::kSocket).fails ? -1 : kNext(domain, type, protocol);
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* length) noexcept {
  static auto* const kNext = Next<decltype(::getsockopt)>("getsockopt");
  return FateOf(FaultCall::kGetsockopt).fails ? -1 : kNext(fd, level, name, value, length);
}

ssize_t recv(int fd, void* bytes, size_t size, int flags) {
  static auto* const kNext = Next<decltype(::recv)>("recv");
  const Fate fate = FateOf(FaultCall::kRecv);
  return fate.fails ? -1 : kNext(fd, bytes, std::min(size, fate.most), flags);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  static auto* const kNext = Next<decltype(::send)>("send");
  const Fate fate = FateOf(FaultCall::kSend);
  return fate.fails ? -1 : kNext(fd, bytes, std::min(size, fate.most), flags);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  static auto* const kNext = Next<decltype(::write)>("write");
  const Fate fate = FateOf(FaultCall::kWrite);
  return fate.fails ? -1 : kNext(fd, bytes, std::min(size, fate.most));
}

ssize_t readv(int fd, const iovec* blocks, int count) {
  static auto* const kNext = Next<decltype(::readv)>("readv");
  const Fate fate = FateOf(FaultCall::kReadv);
  if (fate.fails) return -1;
  if (fate.most == kAll) return kNext(fd, blocks, count);
  Blocks cut(blocks, static_cast<size_t>(count), fate.most);
  return kNext(fd, cut.data(), static_cast<int>(cut.size()));
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static auto* const kNext = Next<decltype(::sendmsg)>("sendmsg");
  const Fate fate = FateOf(FaultCall::kSendmsg);
  if (fate.fails) return -1;
  if (fate.most == kAll) return kNext(fd, message, flags);
  Blocks cut(message->msg_iov, message->msg_iovlen, fate.most);
  msghdr shorter = *message;
  shorter.msg_iov = cut.data();
  shorter.msg_iovlen = cut.size();
  return kNext(fd, &shorter, flags);
}

int poll(pollfd* entries, nfds_t count, int timeout) {
  static auto* const kNext = Next<decltype(::poll)>("poll");
  return FateOf(FaultCall::kPoll).fails ? -1 : kNext(entries, count, timeout);
}

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  static auto* const kNext = Next<decltype(::epoll_ctl)>("epoll_ctl");
  if (operation == EPOLL_CTL_ADD && FateOf(FaultCall::kEpollAdd).fails) return -1;
  return kNext(epoll, operation, fd, event);
}

int epoll_wait(int epoll, epoll_event* events, int most, int timeout) {
  static auto* const kNext = Next<decltype(::epoll_wait)>("epoll_wait");
  return FateOf(FaultCall::kEpollWait).fails ? -1 : kNext(epoll, events, most, timeout);
}

}  // extern "C"
