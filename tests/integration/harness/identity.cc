// SPDX-License-Identifier: Apache-2.0
#include "harness/identity.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

namespace integration {

namespace {

void Require(long result, const char* what) {
  if (result == 0) return;
  std::perror(what);
  std::abort();
}

// The bare system calls change this thread alone; glibc's functions would change the whole process.
void Become(const Identity& identity) {
  Require(::syscall(SYS_setgroups, identity.groups.size(), identity.groups.data()), "setgroups");
  Require(::syscall(SYS_setresgid, identity.gid, identity.gid, identity.gid), "setresgid");
  Require(::syscall(SYS_setresuid, identity.uid, identity.uid, identity.uid), "setresuid");
}

}  // namespace

void RunAs(const Identity& identity, const std::function<void()>& action) {
  std::thread([&identity, &action] {
    Become(identity);
    action();
  }).join();
}

}  // namespace integration
