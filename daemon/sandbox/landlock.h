// SPDX-License-Identifier: Apache-2.0
//
// Landlock: restricts the files that this thread, and those that it starts, can still open, make,
// remove and execute. Where the kernel's Landlock can, it also denies TCP connections and signals
// to other processes.
//
// A rule applies to the file or directory at a path, not to its name. A file that is removed and
// made again is no longer covered. Descriptors that are open already stay usable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

enum class FileUse {
  kList,  // list directories
  kRead,
  kReadWrite,  // existing files only
  kExecute,    // execute and read
  kLog,        // make files and write to them
  kSockets,    // make, rename and remove sockets and files, and read files
  kFronts,     // the same, and make, list and remove directories
};

class Landlock {
 public:
  // Returns UNIMPLEMENTED if the kernel has no Landlock.
  static ttrpc::Result<Landlock> Make();

  // Keeps `path` usable, and all below it if it is a directory. A path that does not exist or
  // cannot be reached is skipped.
  ttrpc::Status Leave(const std::string& path, FileUse use);

  // Restricts this thread permanently. The thread must have no_new_privs or CAP_SYS_ADMIN.
  ttrpc::Status Enforce();

 private:
  Landlock(ttrpc::UniqueFd ruleset, uint64_t handled)
      : ruleset_(std::move(ruleset)), handled_(handled) {}

  ttrpc::UniqueFd ruleset_;
  uint64_t handled_;  // file rights that this kernel knows
};

}  // namespace proxyd
