// SPDX-License-Identifier: Apache-2.0
//
// ListeningSocket: a Unix socket that is made so that nobody can connect before its mode and owner
// are set, that never replaces one that is in use, and that removes at its end only what is its
// own. Any thread, one at a time.
//
// It holds a lock file beside the socket, `.NAME.lock`, for as long as it lives, so that two
// processes cannot both find a stale socket and replace each other's.
#pragma once

#include <sys/stat.h>
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
  // These three are for a path only. No owner or group: this process' own.
  std::optional<uid_t> owner;
  std::optional<gid_t> group;
  mode_t mode = 0600;
  int backlog = 4096;  // peers that wait while we cannot accept
};

class ListeningSocket {
  // Which file it is, whatever its name.
  struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const FileId&, const FileId&) = default;
  };

 public:
  // Identifies the files of a socket at a path. A value, for any thread.
  class Files {
    friend class ListeningSocket;
    FileId socket_;
    FileId lock_;
  };

  // Makes a socket that is non-blocking. ALREADY_EXISTS `ADDRESS is in use`: somebody listens
  // there, or holds the lock. FAILED_PRECONDITION: there is a file that is no socket; it is left
  // alone. INVALID_ARGUMENT: the address is no Unix socket's, so that no client could be
  // authenticated. Otherwise the ErrnoStatus() of the system call that failed. A failure leaves
  // nothing behind.
  static Result<ListeningSocket> Create(const ListeningSocketOptions& options);

  // As Create(), where another socket of this process was made at the same address, and has lost
  // its path; `files` are that socket's, which may be in use meanwhile and keeps no claim to the
  // path. None: the path still is that socket's. If something else has the path now, the error is
  // Create()'s, and all is as it was.
  static Result<std::optional<ListeningSocket>> Recreate(const ListeningSocketOptions& options,
                                                         const Files& files);

  // Owns a socket that somebody else made, such as a service manager, whose path stays theirs, and
  // makes it non-blocking. INVALID_ARGUMENT: it is no Unix stream socket, or does not listen; it is
  // closed.
  static Result<ListeningSocket> Adopt(UniqueFd socket);

  ListeningSocket(ListeningSocket&& other) noexcept = default;
  ListeningSocket& operator=(ListeningSocket&& other) noexcept;  // CloseAndUnlink() comes first
  // CloseAndUnlink().
  ~ListeningSocket();

  // Changes owner, group and mode of the path to those of `options`, whose address must be the one
  // that this was made with. A client that may connect before and after may do so meanwhile, and no
  // other. FAILED_PRECONDITION: the path is not ours any more, or never was. Otherwise the
  // ErrnoStatus() of the system call that failed, before which some of it may have been done.
  Status SetAccess(const ListeningSocketOptions& options);

  // None: it has no path, or the path is somebody else's.
  std::optional<Files> files() const;

  // Borrowed: valid until CloseAndUnlink(); -1 after it.
  int fd() const { return socket_.get(); }

  // Stops listening and removes the path, if it still is ours, and the lock file. Failures to
  // remove are ignored. Has no effect the second time.
  void CloseAndUnlink();

 private:
  // A path, taken apart: everything happens in the folder that was opened first.
  struct Place {
    UniqueFd folder;
    std::string name;
    std::string lock_name;
    UniqueFd lock;
    FileId lock_id;
    FileId socket_id;
  };

  static Result<ListeningSocket> CreateAbstract(const ListeningSocketOptions& options);
  static Result<ListeningSocket> CreateAtPath(const ListeningSocketOptions& options);
  // Opens the folder.
  static Result<Place> PlaceOf(const Address& address);
  // None: nothing has the name, or it cannot be told.
  static std::optional<FileId> IdOf(int folder, const std::string& name);
  static void UnlinkIfStill(int folder, const std::string& name, FileId id);
  static Status TakeLock(Place* place, const std::string& address);
  static Status CheckFree(const Place& place, const std::string& address);
  static Status BindAndRename(const ListeningSocketOptions& options, int socket, Place* place);

  ListeningSocket(UniqueFd socket, std::optional<Place> place)
      : socket_(std::move(socket)), place_(std::move(place)) {}

  UniqueFd socket_;
  std::optional<Place> place_;  // none: abstract, somebody else's, or gone
};

}  // namespace ttrpc
