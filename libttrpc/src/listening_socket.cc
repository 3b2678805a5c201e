// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/listening_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace ttrpc {

namespace {

// The lock file may disappear this often while it is being locked: its holder then removed it.
constexpr int kLockTries = 100;

Status InUse(const std::string& address) {
  return {StatusCode::kAlreadyExists, address + " is in use"};
}

UniqueFd NewSocket() {
  return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Builds the address of a name in an open directory, whose own path may be of any length.
socklen_t AddressIn(int folder, const std::string& name, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  std::snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", folder,
                name.c_str());
  return sizeof *address;
}

// Returns a name that is short enough for AddressIn() and cannot be guessed.
std::string TemporaryName() {
  uint64_t random = 0;
  // If getrandom(2) fails, bind(2) still reports a name that is taken.
  if (::getrandom(&random, sizeof random, 0) < 0) random = static_cast<uint64_t>(::getpid());
  char name[32];
  std::snprintf(name, sizeof name, ".ttrpc-%016llx", static_cast<unsigned long long>(random));
  return name;
}

// Returns a path to an open file, for system calls that accept only a path.
std::string PathOf(const UniqueFd& file) { return "/proc/self/fd/" + std::to_string(file.get()); }

// Sets owner and mode of the new socket by descriptor, because anyone who may write to the
// directory could replace the name with a link to a file of root.
Status SetOwnerAndMode(const ListeningSocketOptions& options, const UniqueFd& file) {
  const std::string address = options.address.ToString();
  struct stat there {};
  if (::fstat(file.get(), &there) != 0) return ErrnoStatus(errno, address);
  const uid_t owner = options.owner.value_or(there.st_uid);
  const gid_t group = options.group.value_or(there.st_gid);
  // Changing the owner needs a privilege, so it is skipped if owner and group are already right.
  const bool right = owner == there.st_uid && group == there.st_gid;
  if (!right && ::fchownat(file.get(), "", owner, group, AT_EMPTY_PATH) != 0) {
    return ErrnoStatus(errno, address + ": owner and group");
  }
  if (::chmod(PathOf(file).c_str(), options.mode) != 0) {
    return ErrnoStatus(errno, address + ": mode");
  }
  return {};
}

// Returns the path of the directory of a file.
std::string FolderName(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A path in a directory. The destructor removes it unless it was renamed.
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
  switch (options.address.kind()) {
    case Address::Kind::kUnixPath:
      return CreateAtPath(options);
    case Address::Kind::kUnixAbstract:
      return CreateAbstract(options);
    case Address::Kind::kVsock:
    case Address::Kind::kHybridVsock:
      break;
  }
  return Status(StatusCode::kInvalidArgument,
                options.address.ToString() +
                    ": a listener must be a Unix socket, so that its peer can be authenticated");
}

Result<ListeningSocket> ListeningSocket::Adopt(UniqueFd socket) {
  const auto option = [&socket](int name, int* value) {
    socklen_t length = sizeof *value;
    return ::getsockopt(socket.get(), SOL_SOCKET, name, value, &length) == 0;
  };
  int domain = 0;
  int type = 0;
  int listens = 0;
  if (!option(SO_DOMAIN, &domain) || domain != AF_UNIX || !option(SO_TYPE, &type) ||
      type != SOCK_STREAM) {
    return Status(StatusCode::kInvalidArgument, "not a Unix stream socket");
  }
  if (!option(SO_ACCEPTCONN, &listens) || listens == 0)
    return Status(StatusCode::kInvalidArgument, "the socket does not listen");
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return ErrnoStatus(errno, "the socket's flags");
  }
  return ListeningSocket(std::move(socket), std::nullopt);
}

Result<ListeningSocket> ListeningSocket::CreateAbstract(const ListeningSocketOptions& options) {
  const std::string address = options.address.ToString();
  UniqueFd socket = NewSocket();
  if (!socket) return ErrnoStatus(errno, address);
  const SocketAddress raw = options.address.ToSocketAddress();
  if (::bind(socket.get(), raw.get(), raw.length) != 0) {
    return errno == EADDRINUSE ? InUse(address) : ErrnoStatus(errno, address);
  }
  if (::listen(socket.get(), options.backlog) != 0) return ErrnoStatus(errno, address);
  return ListeningSocket(std::move(socket), std::nullopt);
}

Result<ListeningSocket> ListeningSocket::CreateAtPath(const ListeningSocketOptions& options) {
  const std::string address = options.address.ToString();
  Result<Place> opened = PlaceOf(options.address);
  if (!opened) return opened.error();
  Place place = *std::move(opened);
  if (options.lock) {
    if (Status status = TakeLock(&place, address); !status.ok()) return status;
  }

  UniqueFd socket = NewSocket();
  Status status = socket ? CheckFree(place, address) : ErrnoStatus(errno, address);
  if (status.ok()) status = BindAndRename(options, socket.get(), &place);
  if (!status.ok()) {
    if (place.lock) UnlinkIfStill(place.folder.get(), place.lock_name, place.lock_id);
    return status;
  }
  if (!options.lock) place.folder.reset();
  return ListeningSocket(std::move(socket), std::move(place));
}

Result<ListeningSocket::Place> ListeningSocket::PlaceOf(const Address& address) {
  Place place;
  place.path = address.name();
  place.folder.reset(::open(FolderName(place.path).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place.folder) {
    return ErrnoStatus(errno, address.ToString() + ": " + FolderName(place.path));
  }
  place.name = place.path.substr(place.path.rfind('/') + 1);
  place.lock_name = "." + place.name + ".lock";
  return place;
}

std::pair<int, const std::string&> ListeningSocket::FileOf(const Place& place) {
  if (place.folder) return {place.folder.get(), place.name};
  return {AT_FDCWD, place.path};
}

void ListeningSocket::RemovePath(const Address& address, const Files& files) {
  UnlinkIfStill(AT_FDCWD, address.name(), files.socket_);
}

std::optional<ListeningSocket::Files> ListeningSocket::files() const {
  if (!place_) return std::nullopt;
  Files files;
  files.socket_ = place_->socket_id;
  files.lock_ = place_->lock_id;
  return files;
}

Result<std::optional<ListeningSocket>> ListeningSocket::Recreate(
    const ListeningSocketOptions& options, const Files& files) {
  const Result<Place> place = PlaceOf(options.address);
  if (!place) return place.error();
  const int folder = place->folder.get();
  if (IdOf(folder, place->name) == files.socket_) return std::optional<ListeningSocket>();
  if (Status status = CheckFree(*place, options.address.ToString()); !status.ok()) return status;
  // The older socket still holds this lock, which counts only while the file has its name.
  if (options.lock) UnlinkIfStill(folder, place->lock_name, files.lock_);
  Result<ListeningSocket> socket = CreateAtPath(options);
  if (!socket) return socket.error();
  return std::optional<ListeningSocket>(*std::move(socket));
}

std::optional<ListeningSocket::FileId> ListeningSocket::IdOf(int folder, const std::string& name) {
  struct stat there {};
  if (::fstatat(folder, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return FileId{there.st_dev, there.st_ino};
}

void ListeningSocket::UnlinkIfStill(int folder, const std::string& name, FileId id) {
  if (IdOf(folder, name) == id) ::unlinkat(folder, name.c_str(), 0);
}

// The lock counts only if the file still has its name, because the last holder removes the file.
Status ListeningSocket::TakeLock(Place* place, const std::string& address) {
  const int folder = place->folder.get();
  const std::string what = address + ": lock file " + place->lock_name;
  for (int i = 0; i < kLockTries; ++i) {
    const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    place->lock.reset(::openat(folder, place->lock_name.c_str(), flags, 0600));
    if (!place->lock) return ErrnoStatus(errno, what);
    if (::flock(place->lock.get(), LOCK_EX | LOCK_NB) != 0) {
      return errno == EWOULDBLOCK ? InUse(address) : ErrnoStatus(errno, what);
    }
    struct stat locked {};
    if (::fstat(place->lock.get(), &locked) != 0) return ErrnoStatus(errno, what);
    place->lock_id = {locked.st_dev, locked.st_ino};
    if (IdOf(folder, place->lock_name) == place->lock_id) return {};
  }
  return InUse(address);
}

// Returns OK if the path is free: no file, or a socket on which nobody listens any more.
Status ListeningSocket::CheckFree(const Place& place, const std::string& address) {
  // The descriptor makes sure that the file that is examined is the one that is connected to:
  // connecting to a file that is not a socket also returns ECONNREFUSED. It also avoids a path that
  // is too long.
  const UniqueFd file(
      ::openat(place.folder.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return errno == ENOENT ? Status() : ErrnoStatus(errno, address);
  struct stat there {};
  if (::fstat(file.get(), &there) != 0) return ErrnoStatus(errno, address);
  if (!S_ISSOCK(there.st_mode)) {
    return {StatusCode::kFailedPrecondition,
            address + " is not a socket; remove the file or use another path"};
  }
  const UniqueFd probe = NewSocket();
  if (!probe) return ErrnoStatus(errno, address);
  sockaddr_un raw = {};
  raw.sun_family = AF_UNIX;
  PathOf(file).copy(raw.sun_path, sizeof raw.sun_path - 1);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&raw), sizeof raw) == 0) {
    return InUse(address);
  }
  // Other errors, such as EAGAIN (backlog full) or EPROTOTYPE, come from a socket that is in use.
  return errno == ECONNREFUSED ? Status() : InUse(address);
}

// Nobody knows the temporary name until owner and mode are set and the socket listens.
Status ListeningSocket::BindAndRename(const ListeningSocketOptions& options, int socket,
                                      Place* place) {
  const std::string address = options.address.ToString();
  const int folder = place->folder.get();
  const std::string name = TemporaryName();
  sockaddr_un raw;
  const socklen_t length = AddressIn(folder, name, &raw);
  // bind(2) creates the file with the mode of the socket's inode, less the umask. From the start,
  // only this user can connect.
  if (::fchmod(socket, 0600) != 0) return ErrnoStatus(errno, address);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&raw), length) != 0) {
    return ErrnoStatus(errno, address);
  }
  TemporaryPath temporary(folder, name);

  const UniqueFd file(::openat(folder, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat made {};
  if (!file || ::fstat(file.get(), &made) != 0) return ErrnoStatus(errno, address);
  if (!S_ISSOCK(made.st_mode)) {
    return {StatusCode::kAborted, address + ": another process is changing the directory"};
  }
  if (Status status = SetOwnerAndMode(options, file); !status.ok()) return status;
  if (::listen(socket, options.backlog) != 0) return ErrnoStatus(errno, address);
  place->socket_id = {made.st_dev, made.st_ino};
  if (temporary.RenameTo(place->name) != 0) return ErrnoStatus(errno, address);
  return {};
}

Status ListeningSocket::SetAccess(const ListeningSocketOptions& options) {
  const std::string address = options.address.ToString();
  Status not_ours{StatusCode::kFailedPrecondition,
                  address + " was removed or replaced by another process"};
  if (!place_) return not_ours;
  const auto [folder, name] = FileOf(*place_);
  const UniqueFd file(::openat(folder, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat there {};
  if (!file || ::fstat(file.get(), &there) != 0) {
    return errno == ENOENT ? not_ours : ErrnoStatus(errno, address);
  }
  if (FileId{there.st_dev, there.st_ino} != place_->socket_id) return not_ours;
  // The bits that the old owner and group lose are removed first; SetOwnerAndMode() then adds the
  // new ones.
  const mode_t both = there.st_mode & options.mode & 07777U;
  if (::chmod(PathOf(file).c_str(), both) != 0) return ErrnoStatus(errno, address + ": mode");
  return SetOwnerAndMode(options, file);
}

ListeningSocket& ListeningSocket::operator=(ListeningSocket&& other) noexcept {
  if (this != &other) {
    CloseAndUnlink();
    socket_ = std::move(other.socket_);
    place_ = std::exchange(other.place_, std::nullopt);
  }
  return *this;
}

ListeningSocket::~ListeningSocket() { CloseAndUnlink(); }

void ListeningSocket::CloseAndUnlink() {
  if (socket_ && place_) {
    const auto [folder, name] = FileOf(*place_);
    // The socket is still open, so no other file can have its inode number yet.
    UnlinkIfStill(folder, name, place_->socket_id);
    // The lock is still held. A process that opened the lock file before finds, once it has the
    // lock, that the name is gone.
    if (place_->lock) UnlinkIfStill(folder, place_->lock_name, place_->lock_id);
  }
  place_.reset();
  socket_.reset();
}

}  // namespace ttrpc
