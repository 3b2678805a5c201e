// SPDX-License-Identifier: Apache-2.0
#include "config/file_writers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "ttrpc/unique_fd.h"

namespace proxyd {
namespace {

using ttrpc::ErrnoStatus;
using ttrpc::Result;
using ttrpc::Status;

constexpr char kAccessList[] = "system.posix_acl_access";

// The form of an access control list in its extended attribute (linux/posix_acl_xattr.h): a
// version, then entries, all in little-endian byte order.
constexpr uint32_t kVersion = 2;
constexpr size_t kVersionSize = 4;
constexpr size_t kEntrySize = 8;
constexpr uint16_t kMayWrite = 2;
enum Tag : uint16_t { kNamedUser = 0x02, kOwningGroup = 0x04, kNamedGroup = 0x08, kMask = 0x10 };

struct Entry {
  uint16_t tag;
  uint16_t permissions;
  uint32_t id;
};

Status Refuse(std::string message) {
  return {ttrpc::StatusCode::kPermissionDenied, std::move(message)};
}

uint32_t ReadLittleEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i)
    value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  return value;
}

std::optional<std::vector<Entry>> ParseAccessList(std::string_view bytes) {
  if (bytes.size() < kVersionSize || (bytes.size() - kVersionSize) % kEntrySize != 0 ||
      ReadLittleEndian(bytes.substr(0, kVersionSize)) != kVersion) {
    return std::nullopt;
  }
  std::vector<Entry> entries;
  for (size_t at = kVersionSize; at < bytes.size(); at += kEntrySize) {
    entries.push_back(
        {.tag = static_cast<uint16_t>(ReadLittleEndian(bytes.substr(at, 2))),
         .permissions = static_cast<uint16_t>(ReadLittleEndian(bytes.substr(at + 2, 2))),
         .id = ReadLittleEndian(bytes.substr(at + 4, 4))});
  }
  return entries;
}

// The attributes that decide who may write a file.
struct Access {
  struct stat info {};
  std::string list;  // the attribute; empty if the file has no list
};

// `get(buffer, size)` is getxattr(2) or fgetxattr(2).
template <typename Get>
Result<std::string> ReadAccessList(const Get& get) {
  std::string bytes(1024, '\0');
  for (;;) {
    const ssize_t size = get(bytes.data(), bytes.size());
    if (size >= 0) {
      bytes.resize(static_cast<size_t>(size));
      return bytes;
    }
    if (errno == ENODATA || errno == EOPNOTSUPP) return std::string();
    // The kernel has no longer attributes.
    constexpr size_t kMost = size_t{64} << 10;
    if (errno != ERANGE || bytes.size() >= kMost)
      return ErrnoStatus(errno, "its access control list cannot be read");
    bytes.resize(kMost);
  }
}

Status CheckOwner(const struct stat& info) {
  const uid_t self = geteuid();
  if (info.st_uid == 0 || info.st_uid == self) return {};
  const std::string owner = self == 0 ? "root" : "root or uid " + std::to_string(self);
  return Refuse("is owned by uid " + std::to_string(info.st_uid) + "; make " + owner +
                " its owner");
}

// Checks the users and groups that the list names. Sets whether it lets the owning group write.
Status CheckAccessList(std::string_view list, bool* group_may_write) {
  const auto entries = ParseAccessList(list);
  if (!entries)
    return Refuse("has an access control list in an unknown form; remove it with setfacl -b");
  uint16_t mask = kMayWrite;
  for (const Entry& entry : *entries) {
    if (entry.tag == kMask) mask = entry.permissions;
  }
  for (const Entry& entry : *entries) {
    const bool may_write = (entry.permissions & mask & kMayWrite) != 0;
    const std::string id = std::to_string(entry.id);
    if (entry.tag == kOwningGroup) *group_may_write = may_write;
    if (!may_write) continue;
    if (entry.tag == kNamedUser && entry.id != 0 && entry.id != geteuid())
      return Refuse("is writable by uid " + id +
                    " through its access control list; change that with setfacl -x u:" + id);
    if (entry.tag == kNamedGroup && entry.id != 0)
      return Refuse("is writable by gid " + id +
                    " through its access control list; change that with setfacl -x g:" + id);
  }
  return {};
}

Status Check(const Access& access) {
  const struct stat& info = access.info;
  if (Status status = CheckOwner(info); !status.ok()) return status;
  if ((info.st_mode & S_IWOTH) != 0)
    return Refuse("is writable by others; change that with chmod o-w");
  // If the file has a list, this bit of the mode shows the mask of the list.
  bool group_may_write = (info.st_mode & S_IWGRP) != 0;
  if (!access.list.empty()) {
    if (Status status = CheckAccessList(access.list, &group_may_write); !status.ok()) return status;
  }
  if (group_may_write && info.st_gid != 0)
    return Refuse("is writable by gid " + std::to_string(info.st_gid) +
                  "; change that with chmod g-w");
  return {};
}

}  // namespace

Status CheckWriters(int fd) {
  Access access;
  if (fstat(fd, &access.info) != 0) return ErrnoStatus(errno, "cannot be examined");
  auto list = ReadAccessList(
      [fd](char* buffer, size_t size) { return fgetxattr(fd, kAccessList, buffer, size); });
  if (!list) return list.error();
  access.list = *std::move(list);
  return Check(access);
}

Status CheckWriters(const std::string& path) {
  Access access;
  if (stat(path.c_str(), &access.info) != 0) return ErrnoStatus(errno, "cannot be examined");
  auto list = ReadAccessList([&path](char* buffer, size_t size) {
    return getxattr(path.c_str(), kAccessList, buffer, size);
  });
  if (!list) return list.error();
  access.list = *std::move(list);
  return Check(access);
}

bool IsReadOnlyForAll(int fd) {
  // systemd shows a service the whole file system read-only (ProtectSystem=strict), while everybody
  // else can still write to it.
  if (getenv("INVOCATION_ID") != nullptr) return false;
  struct statvfs info {};
  if (fstatvfs(fd, &info) != 0 || (info.f_flag & ST_RDONLY) == 0) return false;
  // Other programs do the same, with the mount of the root directory.
  struct statx file {};
  struct statx root {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &file) != 0 ||
      statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &root) != 0) {
    return false;
  }
  return (file.stx_mask & root.stx_mask & STATX_MNT_ID) != 0 && file.stx_mnt_id != root.stx_mnt_id;
}

bool IsReadOnlyForAll(const std::string& path) {
  const ttrpc::UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  return fd && IsReadOnlyForAll(fd.get());
}

}  // namespace proxyd
