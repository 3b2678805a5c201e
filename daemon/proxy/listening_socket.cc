// SPDX-License-Identifier: Apache-2.0
#include "proxy/listening_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace proxyd {

using ttrpc::ErrnoStatus;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::UniqueFd;

namespace {

Status InUse(const std::string& address) {
  return {StatusCode::kAlreadyExists, address + " is in use"};
}

UniqueFd NewSocket() {
  return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// The address of a name in an open folder, however long the folder's own path is.
socklen_t AddressIn(int folder, const std::string& name, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  std::snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", folder,
                name.c_str());
  return sizeof *address;
}

// Short enough for AddressIn(), and not to be guessed.
std::string TemporaryName() {
  uint64_t random = 0;
  // Should it ever fail, bind(2) tells whether the name is taken.
  if (::getrandom(&random, sizeof random, 0) < 0) random = static_cast<uint64_t>(::getpid());
  char name[32];
  std::snprintf(name, sizeof name, ".ttrpc-%016llx", static_cast<unsigned long long>(random));
  return name;
}

// A path in a folder that is removed again unless it was renamed.
class TemporaryPath {
 public:
  TemporaryPath(int folder, std::string name) : folder_(folder), name_(std::move(name)) {}
  ~TemporaryPath() {
    if (!name_.empty()) ::unlinkat(folder_, name_.c_str(), 0);
  }
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;

  const char* c_str() const { return name_.c_str(); }
  int RenameTo(const std::string& name) {
    const int result = ::renameat(folder_, name_.c_str(), folder_, name.c_str());
    if (result == 0) name_.clear();
    return result;
  }

 private:
  int folder_;
  std::string name_;
};

}  // namespace

Result<ListeningSocket> ListeningSocket::Create(const ListeningSocketOptions& options) {
  if (options.address.kind() == ttrpc::Address::Kind::kUnixAbstract) return CreateAbstract(options);
  return CreateAtPath(options);
}

Result<ListeningSocket> ListeningSocket::CreateAbstract(const ListeningSocketOptions& options) {
  const std::string address = options.address.ToString();
  UniqueFd socket = NewSocket();
  if (!socket) return ErrnoStatus(errno, address);
  sockaddr_un raw;
  const socklen_t length = options.address.ToSockaddr(&raw);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&raw), length) != 0) {
    return errno == EADDRINUSE ? InUse(address) : ErrnoStatus(errno, address);
  }
  if (::listen(socket.get(), options.backlog) != 0) return ErrnoStatus(errno, address);
  return ListeningSocket(std::move(socket), std::nullopt);
}

Result<ListeningSocket> ListeningSocket::CreateAtPath(const ListeningSocketOptions& options) {
  const std::string address = options.address.ToString();
  const std::string& path = options.address.name();
  const size_t slash = path.rfind('/');
  const std::string folder = slash == 0 ? "/" : path.substr(0, slash);

  Place place;
  place.folder.reset(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place.folder) return ErrnoStatus(errno, address + ": " + folder);
  place.name = path.substr(slash + 1);
  place.lock_name = "." + place.name + ".lock";
  if (Status status = TakeLock(&place, address); !status.ok()) return status;

  UniqueFd socket = NewSocket();
  Status status = socket ? CheckFree(place, address) : ErrnoStatus(errno, address);
  if (status.ok()) status = BindAndRename(options, socket.get(), &place);
  if (!status.ok()) {
    ::unlinkat(place.folder.get(), place.lock_name.c_str(), 0);
    return status;
  }
  return ListeningSocket(std::move(socket), std::move(place));
}

// The lock counts only on the file that still has the name: its last holder removes it.
Status ListeningSocket::TakeLock(Place* place, const std::string& address) {
  const int folder = place->folder.get();
  const char* name = place->lock_name.c_str();
  while (true) {
    place->lock.reset(::openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!place->lock) return ErrnoStatus(errno, address + ": lock file " + place->lock_name);
    if (::flock(place->lock.get(), LOCK_EX | LOCK_NB) != 0) {
      return errno == EWOULDBLOCK ? InUse(address)
                                  : ErrnoStatus(errno, address + ": lock file " + place->lock_name);
    }
    struct stat locked;
    struct stat named;
    if (::fstat(place->lock.get(), &locked) != 0) return ErrnoStatus(errno, address);
    if (::fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        locked.st_dev == named.st_dev && locked.st_ino == named.st_ino) {
      return {};
    }
  }
}

// Nothing there, or a socket on which nobody listens any more.
Status ListeningSocket::CheckFree(const Place& place, const std::string& address) {
  struct stat there;
  if (::fstatat(place.folder.get(), place.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? Status() : ErrnoStatus(errno, address);
  }
  if (!S_ISSOCK(there.st_mode)) {
    return {StatusCode::kFailedPrecondition, address + " is not a socket, and is left alone"};
  }
  const UniqueFd probe = NewSocket();
  if (!probe) return ErrnoStatus(errno, address);
  // Through a descriptor of the socket file: its own path may be too long beside the folder's
  // prefix.
  const UniqueFd file(
      ::openat(place.folder.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return errno == ENOENT ? Status() : ErrnoStatus(errno, address);
  sockaddr_un raw = {};
  raw.sun_family = AF_UNIX;
  std::snprintf(raw.sun_path, sizeof raw.sun_path, "/proc/self/fd/%d", file.get());
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&raw), sizeof raw) == 0)
    return InUse(address);
  return errno == ECONNREFUSED ? Status() : InUse(address);
}

// Under a name that nobody knows until owner and mode are set and it listens.
Status ListeningSocket::BindAndRename(const ListeningSocketOptions& options, int socket,
                                      Place* place) {
  const std::string address = options.address.ToString();
  const int folder = place->folder.get();
  const std::string name = TemporaryName();
  sockaddr_un raw;
  const socklen_t length = AddressIn(folder, name, &raw);
  // What bind(2) makes has the mode of the socket's own inode, less the umask: nobody but us, from
  // the start.
  if (::fchmod(socket, 0600) != 0) return ErrnoStatus(errno, address);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&raw), length) != 0)
    return ErrnoStatus(errno, address);
  TemporaryPath temporary(folder, name);

  const uid_t owner = options.owner.value_or(static_cast<uid_t>(-1));
  const gid_t group = options.group.value_or(static_cast<gid_t>(-1));
  if (::fchownat(folder, temporary.c_str(), owner, group, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoStatus(errno, address + ": owner and group");
  }
  if (::fchmodat(folder, temporary.c_str(), options.mode, 0) != 0)
    return ErrnoStatus(errno, address + ": mode");
  if (::listen(socket, options.backlog) != 0) return ErrnoStatus(errno, address);
  struct stat made;
  if (::fstatat(folder, temporary.c_str(), &made, AT_SYMLINK_NOFOLLOW) != 0)
    return ErrnoStatus(errno, address);
  place->device = made.st_dev;
  place->inode = made.st_ino;
  if (temporary.RenameTo(place->name) != 0) return ErrnoStatus(errno, address);
  return {};
}

ListeningSocket::~ListeningSocket() { CloseAndUnlink(); }

void ListeningSocket::CloseAndUnlink() {
  if (socket_ && place_) {
    const int folder = place_->folder.get();
    struct stat there;
    if (::fstatat(folder, place_->name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        there.st_dev == place_->device && there.st_ino == place_->inode) {
      ::unlinkat(folder, place_->name.c_str(), 0);
    }
    // While the lock is still held: who opened the file before finds, once it has the lock, that
    // the name is gone.
    ::unlinkat(folder, place_->lock_name.c_str(), 0);
  }
  place_.reset();
  socket_.reset();
}

}  // namespace proxyd
