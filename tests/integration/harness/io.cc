// SPDX-License-Identifier: Apache-2.0
#include "harness/io.h"

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace integration {

namespace {

// Returns true if the descriptor is ready within `deadline`.
bool WaitFor(int fd, short events, std::chrono::milliseconds deadline) {
  pollfd entry = {.fd = fd, .events = events, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&entry, 1, static_cast<int>(deadline.count()));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

socklen_t FillAddress(const std::string& address, sockaddr_un* out) {
  *out = {};
  out->sun_family = AF_UNIX;
  std::memcpy(out->sun_path, address.data(), std::min(address.size(), sizeof out->sun_path - 1));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
  if (address[0] != '@') return size + 1;  // a path ends with NUL
  out->sun_path[0] = '\0';
  return size;
}

}  // namespace

std::string ReadUpTo(int fd, size_t size, bool* timed_out, std::chrono::milliseconds deadline) {
  std::string out(size, '\0');
  size_t have = 0;
  *timed_out = false;
  while (have < size) {
    if (!WaitFor(fd, POLLIN, deadline)) {
      *timed_out = true;
      break;
    }
    const ssize_t got = ::recv(fd, out.data() + have, size - have, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  out.resize(have);
  return out;
}

bool SendAll(int fd, std::string_view bytes, size_t* sent, std::chrono::milliseconds deadline) {
  while (!bytes.empty()) {
    const ssize_t taken = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0 && errno == EAGAIN) {
      if (!WaitFor(fd, POLLOUT, deadline)) return false;
      continue;
    }
    if (taken < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(taken));
    if (sent != nullptr) *sent += static_cast<size_t>(taken);
  }
  return true;
}

bool WaitUntilReadable(int fd) {
  if (WaitFor(fd, POLLIN, kDeadline)) return true;
  ADD_FAILURE() << "there is nothing to read";
  return false;
}

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

void WaitUntilTaken(int fd) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  int waiting = 1;
  while (true) {
    // On a Unix socket SIOCOUTQ returns what the other side has not read yet. No event reports when
    // it becomes 0, so this thread yields the processor to the other side until then.
    if (::ioctl(fd, SIOCOUTQ, &waiting) != 0 || waiting == 0) return;
    if (std::chrono::steady_clock::now() > deadline) break;
    std::this_thread::yield();
  }
  ADD_FAILURE() << "the other side has not read " << waiting << " bytes";
}

ttrpc::UniqueFd Bind(const std::string& address, int type) {
  ttrpc::UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  sockaddr_un name;
  const socklen_t size = FillAddress(address, &name);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size) != 0) return {};
  return fd;
}

ttrpc::UniqueFd Connect(const std::string& address) {
  ttrpc::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name;
  const socklen_t size = FillAddress(address, &name);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), size) != 0) return {};
  return fd;
}

TempDir::TempDir() {
  const char* parent = std::getenv("TMPDIR");
  path_ = std::string(parent != nullptr ? parent : "/tmp") + "/ttrpc-proxy-test-XXXXXX";
  // mkdtemp(3) makes the mode 0700, which would keep out the other users that the tests connect as.
  if (::mkdtemp(path_.data()) == nullptr || ::chmod(path_.c_str(), 0755) != 0) {
    ADD_FAILURE() << "cannot make " << path_ << ": " << std::strerror(errno);
  }
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void WriteFile(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
  if (::chmod(path.c_str(), 0644) != 0) ADD_FAILURE() << "cannot write " << path;
}

std::string ReadFile(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

}  // namespace integration
