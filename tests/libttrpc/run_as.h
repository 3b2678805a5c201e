// SPDX-License-Identifier: Apache-2.0
//
// Other users for tests that run as root: a thread that changes only its own ids.
#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "ttrpc/unique_fd.h"

namespace ttrpc::test {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

// Becomes `user`, or aborts the program: a test that continued as root would pass for the wrong
// reason.
inline void BecomeOrAbort(const User& user) {
  // Plain system calls are used, because glibc's functions change the ids of all threads.
  if (::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) == 0 &&
      ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
      ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0) {
    return;
  }
  std::perror("this test runs as root: changing ids");
  std::abort();
}

// Runs `body` as `user` and waits for its end.
inline void RunAs(const User& user, const std::function<void()>& body) {
  std::thread([&] {
    BecomeOrAbort(user);
    body();
  }).join();
}

// Returns two connected sockets, each of which has `user` as its peer.
inline std::array<UniqueFd, 2> SocketpairAs(const User& user) {
  std::array<int, 2> fds = {-1, -1};
  RunAs(user, [&] {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) std::abort();
  });
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

}  // namespace ttrpc::test
