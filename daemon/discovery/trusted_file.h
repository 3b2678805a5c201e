// SPDX-License-Identifier: Apache-2.0
//
// Trusted files: reads small files that only root, or this process's own user, can have written.
// Anything else of that name, such as a link, a pipe or the file of another user, is refused, and
// opening it never waits. Any thread.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <string>

#include "ttrpc/status.h"

namespace proxyd {

// Identifies a file independently of its name, as long as the file exists.
struct FoundFileId {
  dev_t device = 0;
  ino_t inode = 0;
  friend bool operator==(const FoundFileId&, const FoundFileId&) = default;
};

inline FoundFileId FoundFileIdOf(const struct stat& info) { return {info.st_dev, info.st_ino}; }

// Returns FAILED_PRECONDITION, with a message that begins with `what`, if the owner is neither root
// nor this process's user, or if a group or others may write to the file. A directory with the
// sticky bit may be written to by others, since they cannot replace the files of its owner.
ttrpc::Status CheckTrusted(const struct stat& info, const std::string& what);

// Reads a file in an open directory. The messages of errors begin with `name`. Returns
// - NOT_FOUND if there is no such file;
// - FAILED_PRECONDITION if it is not a regular file, or is not trusted;
// - OUT_OF_RANGE if it has more than `limit` bytes;
// - the ErrnoStatus() of the system call that failed.
ttrpc::Result<std::string> ReadTrustedFile(int directory, const std::string& name, size_t limit);

}  // namespace proxyd
