// SPDX-License-Identifier: Apache-2.0
//
// ListeningSocket: a Unix socket that accepts no connection before its mode and owner are set, that
// never replaces a socket in use, and that removes only its own files when it is closed. Any thread
// may use one, one thread at a time.
//
// A socket at a path also holds a lock file beside it, `.NAME.lock`, so that two processes cannot
// both find a stale socket and replace each other's. A program that makes many sockets in one
// directory can lock the directory instead; see ListeningSocketOptions::lock.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "ttrpc/address.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

struct ListeningSocketOptions {
  explicit ListeningSocketOptions(Address where) : address(std::move(where)) {}

  Address address;
  // Owner, group and mode apply only to a socket at a path. Without an owner or a group, the socket
  // gets this process's own.
  std::optional<uid_t> owner;
  std::optional<gid_t> group;
  mode_t mode = 0600;
  // The connections that the kernel queues until they are accepted, as in listen(2).
  int backlog = 4096;
  // False: the caller makes sure in another way that no other process makes sockets in the
  // directory, and that only this process's user may write to it. The socket then has no lock file
  // and keeps no descriptor but its own.
  bool lock = true;
};

class ListeningSocket {
  // Identifies a file independently of its name.
  struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const FileId&, const FileId&) = default;
  };

 public:
  // Identifies the files of a socket at a path. Any thread may use it.
  class Files {
    friend class ListeningSocket;
    FileId socket_;
    FileId lock_;
  };

  // Makes a non-blocking socket and listens. Returns
  // - ALREADY_EXISTS `ADDRESS is in use` if another socket listens there, or another process holds
  //   the lock;
  // - FAILED_PRECONDITION if there is a file that is not a socket, which is left alone;
  // - INVALID_ARGUMENT if the address is not a Unix socket, since clients could not be
  //   authenticated;
  // - the ErrnoStatus() of the system call that failed.
  // A failure leaves no files behind.
  static Result<ListeningSocket> Create(const ListeningSocketOptions& options);

  // Like Create(), if an older socket of this process at the same address has lost its path;
  // `files` identifies the older socket, which may still be in use and no longer owns the path.
  // Returns none if the older socket still has its path. If something else has the path, returns
  // the error of Create() and changes nothing.
  static Result<std::optional<ListeningSocket>> Recreate(const ListeningSocketOptions& options,
                                                         const Files& files);

  // Removes the path of a socket of this process that another thread owns, and whose files() these
  // are, if the path is still that socket's. The socket itself and its lock file remain. `address`
  // must be the one that the socket was made with.
  static void RemovePath(const Address& address, const Files& files);

  // Owns a listening socket that another program made, such as a service manager. Makes it
  // non-blocking and closed on exec, and leaves its path alone. Returns INVALID_ARGUMENT and closes
  // the socket if it is not a Unix stream socket or does not listen.
  static Result<ListeningSocket> Adopt(UniqueFd socket);

  ListeningSocket(ListeningSocket&& other) noexcept = default;
  // Calls CloseAndUnlink() first.
  ListeningSocket& operator=(ListeningSocket&& other) noexcept;
  // Calls CloseAndUnlink().
  ~ListeningSocket();

  // Changes owner, group and mode of the path to those of `options`, whose address must be the one
  // that the socket was made with. While it runs, only clients that may connect both before and
  // after it may connect. Returns FAILED_PRECONDITION if the path is not, or is no longer, this
  // socket's; otherwise the ErrnoStatus() of the system call that failed, which may leave a part of
  // the change done.
  Status SetAccess(const ListeningSocketOptions& options);

  // Returns none if the socket has no path, or the path belongs to another program.
  std::optional<Files> files() const;

  // Returns an empty text if the socket has no path, or the path belongs to another program.
  std::string path() const { return place_ ? place_->path : std::string(); }

  // Borrowed: valid until CloseAndUnlink(). Returns -1 after it.
  int fd() const { return socket_.get(); }

  // Closes the socket, and removes the path (if it is still this socket's) and the lock file.
  // Failures to remove them are ignored. Has no effect the second time.
  void CloseAndUnlink();

 private:
  // The parts of a path. With a lock, all operations use the directory that was opened first.
  // Without one, they use the whole path, and removing it takes no descriptor.
  struct Place {
    UniqueFd folder;
    std::string path;
    std::string name;
    std::string lock_name;
    UniqueFd lock;
    FileId lock_id;
    FileId socket_id;
  };

  static Result<ListeningSocket> CreateAbstract(const ListeningSocketOptions& options);
  static Result<ListeningSocket> CreateAtPath(const ListeningSocketOptions& options);
  // Opens the directory of the path and splits its names.
  static Result<Place> PlaceOf(const Address& address);
  // Returns the directory and the name in it for operations on the socket's file.
  static std::pair<int, const std::string&> FileOf(const Place& place);
  // Returns none if no file has the name, or it cannot be examined.
  static std::optional<FileId> IdOf(int folder, const std::string& name);
  static void UnlinkIfStill(int folder, const std::string& name, FileId id);
  static Status TakeLock(Place* place, const std::string& address);
  static Status CheckFree(const Place& place, const std::string& address);
  static Status BindAndRename(const ListeningSocketOptions& options, int socket, Place* place);

  ListeningSocket(UniqueFd socket, std::optional<Place> place)
      : socket_(std::move(socket)), place_(std::move(place)) {}

  UniqueFd socket_;
  std::optional<Place> place_;  // none: abstract, adopted, or closed
};

}  // namespace ttrpc
