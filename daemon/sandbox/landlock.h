// SPDX-License-Identifier: Apache-2.0
//
// Landlock: which files this thread, and those that it starts, can still open, make, remove and
// execute, by Landlock. Also takes TCP connections away, and signals to other processes, where the
// kernel's Landlock knows of them.
//
// A rule is about the file or folder that is there, not about its name: one that is removed and
// made anew is another. What is open already stays as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

enum class FileUse {
  kRead,
  kReadWrite,  // what is there
  kExecute,    // and read
  kLog,        // make files and write to them
  kSockets,    // make, rename and remove sockets and files, and read those
};

class Landlock {
 public:
  // UNIMPLEMENTED: this kernel has no Landlock.
  static ttrpc::Result<Landlock> Make();

  // Leaves `path`, and what is below if it is a folder. What is not there, or cannot be reached,
  // is not left.
  ttrpc::Status Leave(const std::string& path, FileUse use);

  // Holds this thread to it, for ever. It must have no_new_privs, or CAP_SYS_ADMIN.
  ttrpc::Status Enforce();

 private:
  Landlock(ttrpc::UniqueFd ruleset, uint64_t handled)
      : ruleset_(std::move(ruleset)), handled_(handled) {}

  ttrpc::UniqueFd ruleset_;
  uint64_t handled_;  // rights that this kernel knows
};

}  // namespace proxyd
