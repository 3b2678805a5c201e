// SPDX-License-Identifier: Apache-2.0
#include "discovery/front_maker.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

#include "discovery/found_text.h"
#include "discovery/trusted_file.h"

namespace proxyd {

using ttrpc::Address;
using ttrpc::ErrnoStatus;
using ttrpc::ListeningSocket;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::UniqueFd;

namespace {

constexpr int kOpenFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// A killed daemon may leave a socket under the name that it had before it was complete.
constexpr std::string_view kTemporaryPrefix = ".ttrpc-";

struct StreamCloser {
  void operator()(DIR* stream) const { ::closedir(stream); }
};

std::vector<std::string> NamesIn(int directory) {
  std::vector<std::string> names;
  UniqueFd file(::openat(directory, ".", kOpenFolder));
  if (!file) return names;
  const std::unique_ptr<DIR, StreamCloser> stream(::fdopendir(file.get()));
  if (!stream) return names;
  static_cast<void>(file.release());  // the stream owns it
  while (const dirent* const entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

bool IsSocket(int directory, const std::string& name) {
  struct stat info {};
  return ::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISSOCK(info.st_mode);
}

// Whether the file is a directory that has something in it, or may have.
bool IsFullDirectory(int directory, const std::string& name) {
  struct stat info {};
  if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (!S_ISDIR(info.st_mode)) return false;
  const UniqueFd file(::openat(directory, name.c_str(), kOpenFolder));
  return !file || !NamesIn(file.get()).empty();
}

// Whether the file is a socket on which nobody listens.
bool IsStaleSocket(int directory, const std::string& name) {
  const UniqueFd file(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return false;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", file.get());
  const auto* const raw = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(probe.get(), raw, sizeof address) != 0 && errno == ECONNREFUSED;
}

// Makes a directory with exactly this mode; an existing one must be trusted, and keeps its mode.
Result<UniqueFd> MakeDirectory(int parent, const std::string& name, mode_t mode) {
  const bool is_new = ::mkdirat(parent, name.c_str(), 0700) == 0;
  if (!is_new && errno != EEXIST) return ErrnoStatus(errno, name);
  UniqueFd made(::openat(parent, name.c_str(), kOpenFolder));
  if (!made) return ErrnoStatus(errno, name);
  struct stat info {};
  if (::fstat(made.get(), &info) != 0) return ErrnoStatus(errno, name);
  if (!is_new) {
    if (Status status = CheckTrusted(info, name); !status.ok()) return status;
  } else if (::fchmod(made.get(), mode) != 0) {
    return ErrnoStatus(errno, name);
  }
  return made;
}

// Makes a directory and those above it that are missing.
Status MakePath(const std::string& path, mode_t mode) {
  const std::string name = path.substr(path.rfind('/') + 1);
  const std::string above = path.substr(0, path.rfind('/'));
  UniqueFd parent(::open(above.empty() ? "/" : above.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!parent && errno == ENOENT && !above.empty()) {
    if (Status status = MakePath(above, 0755); !status.ok()) return status;
    parent.reset(::open(above.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  if (!parent) return ErrnoStatus(errno, above);
  const Result<UniqueFd> made = MakeDirectory(parent.get(), name, mode);
  return made ? Status() : Status(made.error().code(), above + "/" + made.error().message());
}

}  // namespace

FrontMaker::FrontMaker(const SocketTemplate& front, SocketAccess access)
    : path_(front), access_(std::move(access)) {}

FrontMaker::~FrontMaker() {
  // The lock is still held. A process that has the file open finds that it has no name any more.
  if (lock_) ::unlinkat(base_.get(), std::string(FrontPath::kLockFile).c_str(), 0);
}

// Users must be able to pass through the directories if the mode of the sockets lets them in.
mode_t FrontMaker::DirectoryMode() const { return (access_.mode & 0077U) != 0 ? 0755 : 0711; }

void FrontMaker::SetAccess(const SocketAccess& access) {
  const mode_t before = DirectoryMode();
  access_ = access;
  if (base_ && DirectoryMode() != before) SetModes(base_.get(), 0);
}

void FrontMaker::SetModes(int directory, size_t part) {
  if (part + 1 >= path_.depth()) return;
  for (const std::string& name : NamesIn(directory)) {
    if (!path_.MayBeOurs(part, name)) continue;
    const UniqueFd child(::openat(directory, name.c_str(), kOpenFolder));
    if (!child) continue;
    static_cast<void>(::fchmod(child.get(), DirectoryMode()));  // those of others stay as they are
    SetModes(child.get(), part + 1);
  }
}

Result<ListeningSocket> FrontMaker::Make(const std::vector<std::string>& names) {
  if (Status status = TakeBase(); !status.ok()) return status;
  if (Status status = MakeDirectories(names); !status.ok()) return status;
  Result<Address> address = Address::Parse("unix://" + JoinedPath(path_.base(), names));
  if (!address) return address.error();
  ttrpc::ListeningSocketOptions options(*std::move(address));
  options.owner = access_.owner;
  options.group = access_.group;
  options.mode = access_.mode;
  options.lock = false;
  Result<ListeningSocket> socket = ListeningSocket::Create(options);
  if (!socket) RemoveEmpty(names);
  return socket;
}

void FrontMaker::Remove(const std::vector<std::string>& names,
                        const ListeningSocket::Files& files) {
  const Result<Address> address = Address::Parse("unix://" + JoinedPath(path_.base(), names));
  if (address) ListeningSocket::RemovePath(*address, files);
  RemoveEmpty(names);
}

void FrontMaker::RemoveEmpty(std::vector<std::string> names) {
  for (names.pop_back(); !names.empty(); names.pop_back()) {
    const std::string path = JoinedPath(path_.base(), names);
    if (::unlinkat(AT_FDCWD, path.c_str(), AT_REMOVEDIR) != 0) return;
  }
}

bool FrontMaker::IsFree(const std::vector<std::string>& names) const {
  struct stat info {};
  return ::lstat(JoinedPath(path_.base(), names).c_str(), &info) != 0 && errno == ENOENT;
}

// An administrator may have removed the base, and made it again.
bool FrontMaker::HasBase() const {
  struct stat ours {};
  struct stat there {};
  return base_ && ::fstat(base_.get(), &ours) == 0 && ::stat(path_.base().c_str(), &there) == 0 &&
         FoundFileIdOf(ours) == FoundFileIdOf(there);
}

Status FrontMaker::TakeBase() {
  if (HasBase()) return {};
  lock_.reset();
  base_.reset();
  const std::string& path = path_.base();
  UniqueFd base(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!base && errno == ENOENT) {
    if (Status status = MakePath(path, DirectoryMode()); !status.ok()) return status;
    base.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  struct stat info {};
  if (!base || ::fstat(base.get(), &info) != 0) return ErrnoStatus(errno, path);
  if (Status status = CheckTrusted(info, path); !status.ok()) return status;
  if (Status status = CheckNotForeign(base.get()); !status.ok()) return status;
  if (Status status = Lock(base); !status.ok()) return status;
  base_ = std::move(base);
  RemoveStale(base_.get(), 0);
  return {};
}

// A killed daemon leaves its lock file, and one that ends leaves nothing. Without a lock file,
// sockets and directories are those of others, as in /run. They must be neither removed nor opened
// to users, whatever their names are.
Status FrontMaker::CheckNotForeign(int base) const {
  struct stat lock {};
  const std::string lock_name(FrontPath::kLockFile);
  if (::fstatat(base, lock_name.c_str(), &lock, AT_SYMLINK_NOFOLLOW) == 0) return {};
  for (const std::string& name : NamesIn(base)) {
    if (!path_.MayBeOurs(0, name)) continue;
    if (path_.depth() == 1 ? !IsSocket(base, name) : !IsFullDirectory(base, name)) continue;
    return {StatusCode::kFailedPrecondition, path_.base() + " has files of others, such as " +
                                                 ShownText(name) +
                                                 "; use an address in a directory of its own"};
  }
  return {};
}

// The lock counts only if the file still has its name, because the last holder removes the file.
Status FrontMaker::Lock(const UniqueFd& base) {
  const std::string name(FrontPath::kLockFile);
  const std::string path = path_.base() + "/" + name;
  const Status in_use{StatusCode::kAlreadyExists, "another process makes sockets in " +
                                                      path_.base() + " and has locked " + path};
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
  for (int i = 0; i < 100; ++i) {
    UniqueFd lock(::openat(base.get(), name.c_str(), kFlags, 0600));
    if (!lock) return ErrnoStatus(errno, path);
    int result = 0;
    do {
      result = ::flock(lock.get(), LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result != 0) return errno == EWOULDBLOCK ? in_use : ErrnoStatus(errno, path);
    struct stat locked {};
    struct stat named {};
    if (::fstat(lock.get(), &locked) != 0) return ErrnoStatus(errno, path);
    if (::fstatat(base.get(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        FoundFileIdOf(locked) == FoundFileIdOf(named)) {
      lock_ = std::move(lock);
      return {};
    }
  }
  return in_use;
}

Status FrontMaker::MakeDirectories(const std::vector<std::string>& names) {
  UniqueFd made;
  int parent = base_.get();
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    Result<UniqueFd> next = MakeDirectory(parent, names[i], DirectoryMode());
    if (!next) {
      return {next.error().code(),
              "a directory of its socket in " + path_.base() + ": " + next.error().message()};
    }
    made = *std::move(next);
    // A daemon with another configuration may have left it, or one that was killed too early.
    struct stat info {};
    if (::fstat(made.get(), &info) == 0 && info.st_uid == ::geteuid() &&
        (info.st_mode & 07777U) != DirectoryMode() && ::fchmod(made.get(), DirectoryMode()) != 0) {
      return ErrnoStatus(errno, "a directory of its socket in " + path_.base());
    }
    parent = made.get();
  }
  return {};
}

// Removes the sockets that a killed daemon has left, and their directories. Everything else stays.
void FrontMaker::RemoveStale(int directory, size_t part) {
  const bool has_sockets = part + 1 == path_.depth();
  for (const std::string& name : NamesIn(directory)) {
    if (has_sockets) {
      if ((path_.MayBeOurs(part, name) || name.starts_with(kTemporaryPrefix)) &&
          IsStaleSocket(directory, name)) {
        ::unlinkat(directory, name.c_str(), 0);
      }
      continue;
    }
    if (!path_.MayBeOurs(part, name)) continue;
    const UniqueFd child(::openat(directory, name.c_str(), kOpenFolder));
    if (!child) continue;
    RemoveStale(child.get(), part + 1);
    ::unlinkat(directory, name.c_str(), AT_REMOVEDIR);  // fails if something is left in it
  }
}

}  // namespace proxyd
