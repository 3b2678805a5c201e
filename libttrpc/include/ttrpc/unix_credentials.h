// SPDX-License-Identifier: Apache-2.0
//
// UnixCredentials: who is at the other end of a Unix socket, as the kernel tells it. Never what a
// peer says of itself.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <vector>

#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

struct UnixCredentials {
  UnixCredentials() = default;
  pid_t pid = 0;  // a label only: 0 where the peer is in a pid namespace that is not ours to see
  uid_t uid = static_cast<uid_t>(
      -1);  // effective, as it was at connect(2), or at listen(2) of the other side
  gid_t gid = static_cast<gid_t>(-1);
  std::vector<gid_t> groups;  // supplementary, as the kernel lists them
  UniqueFd
      pidfd;  // pins the process against reuse of its pid; none before Linux 6.5 or when it is gone
};

struct UnixCredentialsOptions {
  bool pidfd = false;  // costs a descriptor for as long as the result lives
  bool groups = true;  // a peer with 65536 of them makes this cost milliseconds
};

// Reads SO_PEERCRED, SO_PEERGROUPS and, if asked, SO_PEERPIDFD of a connected Unix socket, which
// stays the caller's. Fails closed: UNAUTHENTICATED if the kernel does not give uid, gid and
// groups, or if it gives -1 for uid or gid.
Result<UnixCredentials> ReadUnixCredentials(int socket, UnixCredentialsOptions options = {});

// include/uapi/linux/limits.h: a process has no more supplementary groups.
inline constexpr size_t kMaxUnixGroups = 65536;

// The supplementary groups alone, read into `buffer`, of which the result is a view: whoever reads
// those of many peers pays for the memory once. A peer that has more than `most` costs no copy:
// RESOURCE_EXHAUSTED. UNAUTHENTICATED if the kernel does not give them.
Result<std::span<const gid_t>> ReadUnixGroups(int socket, std::vector<gid_t>* buffer,
                                              size_t most = kMaxUnixGroups);

// How many there are, at the price of one system call that copies none. UNAUTHENTICATED likewise.
Result<size_t> CountUnixGroups(int socket);

// The uid and gid as which an id shows that has no mapping in our user namespace:
// /proc/sys/kernel/overflowuid and overflowgid, or 65534 where they cannot be read.
uid_t OverflowUid();
gid_t OverflowGid();

}  // namespace ttrpc
