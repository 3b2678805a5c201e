// SPDX-License-Identifier: Apache-2.0
//
// SandboxPlan: what a configuration needs of the system once the daemon runs, which is what the
// sandbox leaves it (sandbox.h), and whether that is enough for another configuration. Pure but
// for our own effective user and group; any thread.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "ttrpc/status.h"

namespace proxyd {

// Folders are as the configuration spells them, in order, each once; what is below them is meant,
// too.
struct SandboxPlan {
  // Device and inode. The sandbox leaves a folder, not its name.
  using FolderId = std::pair<dev_t, ino_t>;

  std::vector<std::string> log_folders = {};     // files are made here and appended to
  std::vector<std::string> socket_folders = {};  // sockets and their lock files, too, which also go
  bool vsock = false;
  bool tcp = false;
  bool owners = false;           // sockets get an owner or a group that is not ours
  bool foreign_sockets = false;  // sockets get another owner, and may be changed after
  // Files, folders or backends that only their owners, other users, may use.
  bool foreign_files = false;
  std::map<std::string, FolderId> ids = {};  // of the folders, when they were left
};

// A configuration shows foreign files by the users of its backends; what else is foreign only the
// file system shows (reach.h).
SandboxPlan PlanSandbox(const Config& config);

// Of a path as the configuration spells it: all before the last name in it.
std::string FolderOf(const std::string& path);

// The folders of `needed` that `left` does not cover, each once.
std::vector<std::string> FoldersOutside(const SandboxPlan& left, const SandboxPlan& needed);

// FAILED_PRECONDITION `needs a restart: FOLDER is outside the sandbox`, or `… vsock sockets are …`,
// `… owners of sockets are …`, `… files of other users are …`: the first thing that `needed` has
// and `left` has not. Compares names: a folder that is left by another name counts as outside.
ttrpc::Status CheckCovers(const SandboxPlan& left, const SandboxPlan& needed);

}  // namespace proxyd
