// SPDX-License-Identifier: Apache-2.0
#include "discovery/trusted_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ttrpc/unique_fd.h"

namespace proxyd {

using ttrpc::ErrnoStatus;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

Status Untrusted(const std::string& what) { return {StatusCode::kFailedPrecondition, what}; }

Status TooLong(const std::string& name, size_t limit) {
  return {StatusCode::kOutOfRange, name + ": more than " + std::to_string(limit) + " bytes"};
}

ttrpc::UniqueFd OpenToRead(int directory, const std::string& name) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  int file = -1;
  do {
    file = ::openat(directory, name.c_str(), kFlags);
  } while (file < 0 && errno == EINTR);
  return ttrpc::UniqueFd(file);
}

}  // namespace

Status CheckTrusted(const struct stat& info, const std::string& what) {
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    return Untrusted(what + ": belongs to uid " + std::to_string(info.st_uid) +
                     ", which is neither root nor the daemon's user");
  }
  const bool sticky = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0;
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky) {
    return Untrusted(what + ": a group or others may write to it");
  }
  return {};
}

Result<std::string> ReadTrustedFile(int directory, const std::string& name, size_t limit) {
  const ttrpc::UniqueFd file = OpenToRead(directory, name);
  if (!file) {
    // Opening a socket fails in this way, too.
    if (errno == ELOOP || errno == ENXIO) return Untrusted(name + ": not a regular file");
    return ErrnoStatus(errno, name);
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return ErrnoStatus(errno, name);
  if (!S_ISREG(info.st_mode)) return Untrusted(name + ": not a regular file");
  if (Status status = CheckTrusted(info, name); !status.ok()) return status;
  if (info.st_size > 0 && static_cast<size_t>(info.st_size) > limit) return TooLong(name, limit);
  // One more byte than the size shows the end of the file, which may have grown meanwhile.
  std::string content(std::min(limit, static_cast<size_t>(info.st_size)) + 1, '\0');
  size_t length = 0;
  while (true) {
    const ssize_t count = ::read(file.get(), content.data() + length, content.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, name);
    if (count == 0) break;
    length += static_cast<size_t>(count);
    if (length > limit) return TooLong(name, limit);
    if (length == content.size()) content.resize(std::min(limit + 1, 2 * content.size()));
  }
  content.resize(length);
  return content;
}

}  // namespace proxyd
