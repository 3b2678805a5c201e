// SPDX-License-Identifier: Apache-2.0
//
// UnixCredentials: the identity of the other side of a Unix socket, as the kernel reports it.
// Nothing that the peer says about itself is used. Any thread may call these functions; none of
// them waits. They borrow `socket` for the duration of the call.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <vector>

#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

// The ids are those that the peer's process had when it called connect(2), or listen(2) if the peer
// is the listening side. A UnixCredentials owns its descriptor.
struct UnixCredentials {
  UnixCredentials() = default;
  // Use the pid only as a label. 0 if the peer is in a pid namespace that this process cannot see.
  pid_t pid = 0;
  // The effective ids. -1 means unknown.
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  // The supplementary groups, in the kernel's order.
  std::vector<gid_t> groups;
  // Pins the process, so that its pid cannot be reused. None before Linux 6.5, or if the process
  // has ended.
  UniqueFd pidfd;
};

struct UnixCredentialsOptions {
  bool pidfd = false;  // costs a descriptor for as long as the result lives
  bool groups = true;  // costs milliseconds for a peer that has 65536 of them
};

// Reads SO_PEERCRED, SO_PEERGROUPS and, on request, SO_PEERPIDFD of a connected Unix socket. Fails
// closed: returns UNAUTHENTICATED if the kernel does not report the uid, gid and groups (for
// example because the socket is not a Unix socket or not connected), or reports -1 as uid or gid. A
// missing pidfd is not an error.
Result<UnixCredentials> ReadUnixCredentials(int socket, UnixCredentialsOptions options = {});

// The kernel's limit for the supplementary groups of a process (include/uapi/linux/limits.h).
inline constexpr size_t kMaxUnixGroups = 65536;

// Reads only the supplementary groups, into `buffer`, which grows as needed and can be used again.
// The result is a view of the buffer, valid until the buffer is changed or destroyed. Returns
// RESOURCE_EXHAUSTED if the peer has more than `most` groups, and UNAUTHENTICATED if the kernel
// does not report them.
Result<std::span<const gid_t>> ReadUnixGroups(int socket, std::vector<gid_t>* buffer,
                                              size_t most = kMaxUnixGroups);

// Returns the number of supplementary groups, with one system call that copies none of them.
// Returns UNAUTHENTICATED if the kernel does not report it.
Result<size_t> CountUnixGroups(int socket);

// Return the uid and gid that the kernel reports for an id that is not mapped in this process's
// user namespace: /proc/sys/kernel/overflowuid and overflowgid, or 65534 if they cannot be read.
uid_t OverflowUid();
gid_t OverflowGid();

}  // namespace ttrpc
