// SPDX-License-Identifier: Apache-2.0
//
// UnixCredentials: who is at the other end of a Unix socket, as the kernel reports it, and never as
// the peer describes itself. Any thread; no function here waits. `socket` is always borrowed, for
// the time of the call.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <vector>

#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

// A value that owns its descriptor. The ids are those that the process had when it called
// connect(2), or listen(2) if it is the listening side.
struct UnixCredentials {
  UnixCredentials() = default;
  // A label only. 0 if the peer is in a pid namespace that we cannot see.
  pid_t pid = 0;
  // The effective ids; -1 is nobody's.
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  // The supplementary groups, in the kernel's order.
  std::vector<gid_t> groups;
  // Pins the process against reuse of its pid. None before Linux 6.5, or if the process is gone.
  UniqueFd pidfd;
};

struct UnixCredentialsOptions {
  bool pidfd = false;  // costs a descriptor for as long as the result lives
  bool groups = true;  // costs milliseconds for a peer that has 65536 of them
};

// Reads SO_PEERCRED, SO_PEERGROUPS and, if asked, SO_PEERPIDFD of a connected Unix socket. Fails
// closed: UNAUTHENTICATED if the kernel does not report uid, gid and groups (as for a socket that
// is no Unix socket, or not connected), or if it reports -1 for uid or gid. A pidfd that cannot be
// had is no failure.
Result<UnixCredentials> ReadUnixCredentials(int socket, UnixCredentialsOptions options = {});

// No process has more supplementary groups (include/uapi/linux/limits.h).
inline constexpr size_t kMaxUnixGroups = 65536;

// Reads the supplementary groups alone, into `buffer`, which grows as needed and can be used for
// many peers. The result is a view of it, valid until the buffer is changed or destroyed.
// RESOURCE_EXHAUSTED: the peer has more than `most`, and none was copied. UNAUTHENTICATED: the
// kernel does not report them.
Result<std::span<const gid_t>> ReadUnixGroups(int socket, std::vector<gid_t>* buffer,
                                              size_t most = kMaxUnixGroups);

// Returns the number of supplementary groups, for the price of one system call that copies none.
// UNAUTHENTICATED: the kernel does not report it.
Result<size_t> CountUnixGroups(int socket);

// The uid and gid that the kernel reports in place of an id that has no mapping in our user
// namespace: /proc/sys/kernel/overflowuid and overflowgid, or 65534 if they cannot be read.
uid_t OverflowUid();
gid_t OverflowGid();

}  // namespace ttrpc
