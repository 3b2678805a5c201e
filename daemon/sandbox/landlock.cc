// SPDX-License-Identifier: Apache-2.0
#include "sandbox/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace proxyd {

namespace {

using ttrpc::ErrnoStatus;
using ttrpc::Status;
using ttrpc::UniqueFd;

// These are the values of <linux/landlock.h> in Linux 6.12; the installed header may be older.
constexpr uint64_t kTruncate = 1U << 14;
constexpr uint64_t kIoctlDevice = 1U << 15;
constexpr uint64_t kConnectTcp = 1U << 1;
constexpr uint64_t kScopeSignal = 1U << 1;

struct RulesetAttributes {
  uint64_t files;
  uint64_t network;  // from version 4
  uint64_t scoped;   // from version 6
};

constexpr uint64_t kReadRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kWriteRights = LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
constexpr uint64_t kLogRights = LANDLOCK_ACCESS_FS_MAKE_REG | kWriteRights;
constexpr uint64_t kSocketRights = kLogRights | LANDLOCK_ACCESS_FS_READ_FILE |
                                   LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;
// The rights that a rule may grant on a file that is not a directory.
constexpr uint64_t kFileRights =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | kWriteRights | kIoctlDevice;

uint64_t RightsOf(FileUse use) {
  switch (use) {
    case FileUse::kList:
      return LANDLOCK_ACCESS_FS_READ_DIR;
    case FileUse::kRead:
      return kReadRights;
    case FileUse::kReadWrite:
      return kReadRights | kWriteRights;
    case FileUse::kExecute:
      return kReadRights | LANDLOCK_ACCESS_FS_EXECUTE;
    case FileUse::kLog:
      return kLogRights;
    case FileUse::kSockets:
      return kSocketRights;
    case FileUse::kFronts:
      return kSocketRights | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |
             LANDLOCK_ACCESS_FS_REMOVE_DIR;
  }
  return 0;
}

// Returns every right that this version of Landlock can restrict; it rejects unknown ones.
RulesetAttributes AttributesFor(long version) {
  RulesetAttributes attributes = {.files = LANDLOCK_ACCESS_FS_REFER - 1, .network = 0, .scoped = 0};
  if (version >= 2) attributes.files |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) attributes.files |= kTruncate;
  if (version >= 4) attributes.network = kConnectTcp;
  if (version >= 5) attributes.files |= kIoctlDevice;
  if (version >= 6) attributes.scoped = kScopeSignal;
  return attributes;
}

size_t SizeFor(long version) {
  if (version >= 6) return sizeof(RulesetAttributes);
  return version >= 4 ? offsetof(RulesetAttributes, scoped) : offsetof(RulesetAttributes, network);
}

// The daemon could not use a path with one of these errors anyway. Other errors, such as a lack of
// descriptors or memory, are failures.
bool IsUnreachable(int error) {
  return error == ENOENT || error == ENOTDIR || error == EACCES || error == ELOOP;
}

}  // namespace

ttrpc::Result<Landlock> Landlock::Make() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
    return Status(ttrpc::StatusCode::kUnimplemented, "the kernel has no Landlock");
  if (version < 0) return ErrnoStatus(errno, "landlock_create_ruleset");
  const RulesetAttributes attributes = AttributesFor(version);
  UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, SizeFor(version), 0)));
  if (!ruleset) return ErrnoStatus(errno, "landlock_create_ruleset");
  return Landlock(std::move(ruleset), attributes.files);
}

Status Landlock::Leave(const std::string& path, FileUse use) {
  const UniqueFd file(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat info {};
  if (!file && IsUnreachable(errno)) return {};
  if (!file || ::fstat(file.get(), &info) != 0) return ErrnoStatus(errno, path);
  uint64_t rights = RightsOf(use) & handled_;
  if (!S_ISDIR(info.st_mode)) rights &= kFileRights;
  const landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = file.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset_.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    return ErrnoStatus(errno, "landlock_add_rule " + path);
  return {};
}

Status Landlock::Enforce() {
  if (::syscall(SYS_landlock_restrict_self, ruleset_.get(), 0) != 0)
    return ErrnoStatus(errno, "landlock_restrict_self");
  return {};
}

}  // namespace proxyd
