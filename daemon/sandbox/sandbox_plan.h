// SPDX-License-Identifier: Apache-2.0
//
// SandboxPlan: the rights that a configuration needs once the daemon runs. The sandbox (sandbox.h)
// grants a plan, and CheckCovers() compares it with the plan of another configuration. Pure except
// for the process's effective user and group; any thread.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "ttrpc/status.h"

namespace proxyd {

// Directories are as the configuration spells them, in its order and each once. A plan includes all
// that is below them.
struct SandboxPlan {
  // Device and inode. The sandbox grants access to a directory, not to its name.
  using FolderId = std::pair<dev_t, ino_t>;

  // In the first the daemon makes files and appends to them. In the second it also makes and
  // removes sockets and lock files. In the third it also makes, lists and removes directories.
  std::vector<std::string> log_folders = {};
  std::vector<std::string> socket_folders = {};
  std::vector<std::string> front_folders = {};
  // Directories where listeners find their workloads. In the first the daemon reads files and
  // directories, in the second it only lists directories. The sandbox leaves the nearest directory
  // above each, since the directory itself may be made later, or removed and made again.
  std::vector<std::string> read_folders = {};
  std::vector<std::string> list_folders = {};
  bool vsock = false;
  bool tcp = false;
  bool owners = false;           // sockets get an owner or a group that is not the daemon's
  bool foreign_sockets = false;  // sockets of another owner, which the daemon may change later
  // Files, directories or backends that only other users, their owners, may use.
  bool foreign_files = false;
  bool discovery = false;  // following workloads, and directories for their sockets
  std::map<std::string, FolderId> ids = {};  // the directories' ids when access was granted
};

// Returns the plan for `config`. It sets `foreign_files` only by the users of backends and for
// backends that are discovered; other foreign files are found in the file system (reach.h).
SandboxPlan PlanSandbox(const Config& config);

// Returns the directory part of a path as the configuration spells it.
std::string FolderOf(const std::string& path);

// Returns the directories of `needed` that the daemon writes to and `left` does not cover, each
// once.
std::vector<std::string> FoldersOutside(const SandboxPlan& left, const SandboxPlan& needed);

// Returns FAILED_PRECONDITION with the first thing that `needed` has and `left` has not: `DIRECTORY
// is outside the sandbox`, or `discovery is …`, `vsock sockets are …`, `tcp sockets are …`,
// `owners of sockets are …`, `files of other users are …`. Compares names: another name of a
// granted directory counts as outside.
ttrpc::Status CheckCovers(const SandboxPlan& left, const SandboxPlan& needed);

}  // namespace proxyd
