// SPDX-License-Identifier: Apache-2.0
//
// Identity: the credentials that a socket's other side sees. The kernel takes them from the thread
// that calls connect(2) or listen(2). Any thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

namespace integration {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups = {};  // supplementary
};

// These users own nothing on this machine.
inline constexpr uid_t kAlice = 40001;
inline constexpr uid_t kBob = 40002;

// Returns a user with only the group of the same number.
inline Identity Someone(uid_t uid) { return {.uid = uid, .gid = uid}; }

// Runs `action` on a new thread that has become `identity`, and waits for it. Aborts the program if
// the kernel refuses, since a test that continued as root would prove nothing.
void RunAs(const Identity& identity, const std::function<void()>& action);

}  // namespace integration
