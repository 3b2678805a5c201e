// SPDX-License-Identifier: Apache-2.0
//
// ListeningSocket: a Unix socket that is made so that nobody can connect before its mode and owner
// are set, that never takes the place of one that is in use, and that takes away at its end only
// what is its own. Any thread.
//
// A lock file beside it, `.NAME.lock`, is held for as long as it lives, so that two processes
// cannot both find a stale socket and replace each other's.
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
  std::optional<uid_t> owner;  // not given: ours. Only for a path, as is the next
  std::optional<gid_t> group;
  mode_t mode = 0600;
  int backlog = 4096;  // peers that wait while we cannot accept
};

class ListeningSocket {
 public:
  // Non-blocking. ALREADY_EXISTS `ADDRESS is in use`: somebody listens there, or holds the lock.
  // FAILED_PRECONDITION: what stands there is no socket, and stays. INVALID_ARGUMENT: the address
  // is no Unix socket's, so that nobody who connects could be authenticated. The status of the
  // system call that failed otherwise. Nothing is left behind.
  static Result<ListeningSocket> Create(const ListeningSocketOptions& options);

  // One that somebody else made, such as a service manager, and whose path stays theirs; it is made
  // non-blocking. INVALID_ARGUMENT: it is no Unix stream socket, or does not listen.
  static Result<ListeningSocket> Adopt(UniqueFd socket);

  ListeningSocket(ListeningSocket&& other) noexcept = default;
  ListeningSocket& operator=(ListeningSocket&& other) noexcept;  // CloseAndUnlink() comes first
  // CloseAndUnlink().
  ~ListeningSocket();

  // Owner, group and mode of a path, anew, as `options` has them; its address is the one this was
  // made with. Who may connect before and after may do so meanwhile, and nobody else.
  // FAILED_PRECONDITION: the path is not ours any more, or never was. The status of the system call
  // that failed otherwise; some of it may be done then.
  Status SetAccess(const ListeningSocketOptions& options);

  int fd() const { return socket_.get(); }

  // Stops listening and removes the path, if it still is ours, and the lock file. Once is enough.
  void CloseAndUnlink();

 private:
  // Which file it is, whatever its name.
  struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const FileId&, const FileId&) = default;
  };

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
