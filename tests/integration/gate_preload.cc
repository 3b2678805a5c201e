// SPDX-License-Identifier: Apache-2.0
//
// A shared library to be preloaded (LD_PRELOAD) into the daemon. It makes one library call wait for
// the test, so that the test can act in the middle of a start. $TEST_GATE is a named pipe, and
// $TEST_GATE_CALL is the call: `getpwnam_r` of the user "gated", or `listen`. The call reads one
// byte from the pipe; the user exists, with uid 0, if it is `y`. Any thread.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace {

// Returns the next definition, which is libc's or a sanitizer's.
template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

bool IsGated(const char* call) {
  const char* gated = std::getenv("TEST_GATE_CALL");
  return gated != nullptr && std::strcmp(gated, call) == 0;
}

char PassGate() {
  const int gate = ::open(std::getenv("TEST_GATE"), O_RDONLY | O_CLOEXEC);
  if (gate < 0) std::abort();  // a test without a gate would prove nothing
  // ThreadSanitizer handles a signal while poll(2) waits, but not while read(2) does.
  pollfd ready = {.fd = gate, .events = POLLIN, .revents = 0};
  while (::poll(&ready, 1, -1) < 0 && errno == EINTR) {
  }
  char byte = 0;
  while (::read(gate, &byte, 1) < 0 && errno == EINTR) {
  }
  ::close(gate);
  return byte;
}

}  // namespace

extern "C" {

int getpwnam_r(const char* name, passwd* entry, char* buffer, size_t size, passwd** found) {
  static auto* const kNext = Next<decltype(::getpwnam_r)>("getpwnam_r");
  if (!IsGated("getpwnam_r") || std::strcmp(name, "gated") != 0)
    return kNext(name, entry, buffer, size, found);
  if (PassGate() == 'y') return kNext("root", entry, buffer, size, found);
  *found = nullptr;
  return 0;
}

int listen(int fd, int backlog) noexcept {
  static auto* const kNext = Next<decltype(::listen)>("listen");
  if (IsGated("listen")) PassGate();
  return kNext(fd, backlog);
}

}  // extern "C"
