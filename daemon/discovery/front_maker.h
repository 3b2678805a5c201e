// SPDX-License-Identifier: Apache-2.0
//
// FrontMaker: makes and removes the sockets of one listener's workloads, and their directories. It
// owns the base of the template by a lock file in it. It may therefore remove what a killed daemon
// has left there, and needs no lock for each socket. On the follower's thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "config/config.h"
#include "discovery/front_path.h"
#include "discovery/workload.h"
#include "ttrpc/listening_socket.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class FrontMaker {
 public:
  FrontMaker(const SocketTemplate& front, SocketAccess access);
  // Gives up the base. The sockets must have been removed before.
  ~FrontMaker();
  FrontMaker(const FrontMaker&) = delete;
  FrontMaker& operator=(const FrontMaker&) = delete;

  const FrontPath& path() const { return path_; }
  // The access of new sockets, and of the directories of placeholders.
  void SetAccess(const SocketAccess& access);

  // Takes the base, and makes it if it is missing; then removes the sockets in it that a killed
  // daemon has left. Does nothing if the base is ours already. Returns FAILED_PRECONDITION if the
  // base has sockets or directories of others that could be mistaken for ours.
  ttrpc::Status TakeBase();
  // Whether the base was ours at the last TakeBase().
  bool owns_base() const { return static_cast<bool>(lock_); }
  // Makes the socket with these names below the base, and the directories that it needs. Calls
  // TakeBase() first. The message of an error is a sentence.
  ttrpc::Result<ttrpc::ListeningSocket> Make(const std::vector<std::string>& names);
  // Removes the path of a socket, if it is still the socket's, and the directories that are empty
  // then.
  void Remove(const std::vector<std::string>& names, const ttrpc::ListeningSocket::Files& files);
  // Whether there is no file with the path of a socket.
  bool IsFree(const std::vector<std::string>& names) const;
  // Removes the directories of a socket that are empty.
  void RemoveEmpty(std::vector<std::string> names);

 private:
  mode_t DirectoryMode() const;
  bool HasBase() const;
  ttrpc::Status CheckNotForeign(int base) const;
  ttrpc::Status Lock(const ttrpc::UniqueFd& base);
  ttrpc::Status MakeDirectories(const std::vector<std::string>& names);
  void RemoveStale(int directory, size_t part);
  void SetModes(int directory, size_t part);

  const FrontPath path_;
  SocketAccess access_;
  ttrpc::UniqueFd base_;  // open while the base is ours
  ttrpc::UniqueFd lock_;
};

}  // namespace proxyd
