// SPDX-License-Identifier: Apache-2.0
//
// Reads what the kernel recorded about the other side of a Unix socket. Credentials are complete or
// missing: every exit but the last is an error.
#include "ttrpc/unix_credentials.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <system_error>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SO_PEERPIDFD  // Linux 6.5
#define SO_PEERPIDFD 77
#endif

namespace ttrpc {
namespace {

// Nearly every user has fewer groups, so that one call is enough.
constexpr size_t kUsualGroups = 32;
// The kernel's default for both ids, DEFAULT_OVERFLOWUID.
constexpr uint32_t kDefaultOverflowId = 65534;

Status Unauthenticated(std::string_view what) {
  return {StatusCode::kUnauthenticated, "no peer credentials: " + std::string(what)};
}

Status UnauthenticatedErrno(int error_number, std::string_view option) {
  return Unauthenticated(ErrnoStatus(error_number, option).message());
}

// A listening socket reports this process's own credentials, and must never pass for a connection.
Status CheckConnection(int socket) {
  int listening = 1;
  socklen_t length = sizeof(listening);
  if (::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0) {
    return UnauthenticatedErrno(errno, "SO_ACCEPTCONN");
  }
  if (listening != 0) return Unauthenticated("the socket listens");
  return {};
}

Status ReadIds(int socket, UnixCredentials* credentials) {
  ucred ids = {};
  socklen_t length = sizeof(ids);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &ids, &length) != 0) {
    return UnauthenticatedErrno(errno, "SO_PEERCRED");
  }
  if (length != sizeof(ids)) return Unauthenticated("SO_PEERCRED returned too few bytes");
  // The kernel returns -1 for a socket that is not connected or is not a Unix socket.
  if (ids.uid == static_cast<uid_t>(-1)) return Unauthenticated("SO_PEERCRED returned no uid");
  if (ids.gid == static_cast<gid_t>(-1)) return Unauthenticated("SO_PEERCRED returned no gid");
  credentials->pid = ids.pid;
  credentials->uid = ids.uid;
  credentials->gid = ids.gid;
  return {};
}

// Reads the groups into `*size` entries, sets `*size` to their number and returns true. On failure
// returns false; with errno ERANGE, `*size` is the number of groups that there are.
bool GetGroups(int socket, gid_t* groups, size_t* size) {
  auto length = static_cast<socklen_t>(*size * sizeof(gid_t));
  const bool done = ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &length) == 0;
  const size_t given = length / sizeof(gid_t);
  if (done && given > *size) {  // cannot happen; checked because the caller indexes by it
    errno = EOVERFLOW;
    return false;
  }
  *size = given;
  return done;
}

// A missing pidfd is not an error, since the pid is a label. ENOPROTOOPT: old kernel; EINVAL or
// ESRCH: the peer is gone; EMFILE: no descriptor is left.
UniqueFd ReadPidfd(int socket) {
  int fd = -1;
  socklen_t length = sizeof(fd);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &length) != 0) return {};
  return UniqueFd(fd);
}

uint32_t ReadOverflowId(const char* path) {
  const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return kDefaultOverflowId;
  std::array<char, 16> text;
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size <= 0) return kDefaultOverflowId;
  uint32_t id = kDefaultOverflowId;
  const auto [end, error] = std::from_chars(text.data(), text.data() + size, id);
  return error == std::errc() ? id : kDefaultOverflowId;
}

}  // namespace

// The groups of a connected socket never change, so a second call with the size that the first one
// returned is enough.
Result<std::span<const gid_t>> ReadUnixGroups(int socket, std::vector<gid_t>* buffer, size_t most) {
  if (buffer->size() < kUsualGroups) buffer->resize(kUsualGroups);
  size_t size = std::min(buffer->size(), most);
  if (GetGroups(socket, buffer->data(), &size)) return std::span<const gid_t>(buffer->data(), size);
  if (errno != ERANGE) return UnauthenticatedErrno(errno, "SO_PEERGROUPS");
  if (size > kMaxUnixGroups) return Unauthenticated("SO_PEERGROUPS returned too many groups");
  if (size > most) {
    return Status(StatusCode::kResourceExhausted,
                  "the peer has " + std::to_string(size) + " supplementary groups");
  }
  if (buffer->size() < size) buffer->resize(size);
  if (GetGroups(socket, buffer->data(), &size)) return std::span<const gid_t>(buffer->data(), size);
  return UnauthenticatedErrno(errno, "SO_PEERGROUPS");
}

Result<size_t> CountUnixGroups(int socket) {
  size_t size = 0;
  gid_t none = 0;
  if (GetGroups(socket, &none, &size) || errno == ERANGE) return size;
  return UnauthenticatedErrno(errno, "SO_PEERGROUPS");
}

Result<UnixCredentials> ReadUnixCredentials(int socket, UnixCredentialsOptions options) {
  UnixCredentials credentials;
  if (Status status = CheckConnection(socket); !status.ok()) return status;
  if (Status status = ReadIds(socket, &credentials); !status.ok()) return status;
  if (options.groups) {
    const auto groups = ReadUnixGroups(socket, &credentials.groups);
    if (!groups) return groups.error();
    credentials.groups.resize(groups->size());
  }
  if (options.pidfd) credentials.pidfd = ReadPidfd(socket);
  return credentials;
}

uid_t OverflowUid() { return ReadOverflowId("/proc/sys/kernel/overflowuid"); }
gid_t OverflowGid() { return ReadOverflowId("/proc/sys/kernel/overflowgid"); }

}  // namespace ttrpc
