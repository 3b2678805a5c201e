// SPDX-License-Identifier: Apache-2.0
//
// File writers: whether anybody but root and our own effective user could change a file or a
// directory, by its owner, its mode or its access control list. Looks at the file system, which may
// block; any thread.
#pragma once

#include <string>

#include "ttrpc/status.h"

namespace proxyd {

// PERMISSION_DENIED, and in words to follow a name who that is and what to do about it (`is owned
// by uid 1000, expected uid 0`), or another error if it cannot be found out. A link is followed.
ttrpc::Status CheckWriters(int fd);
ttrpc::Status CheckWriters(const std::string& path);

// Returns whether nobody can change the file, whatever its mode says: it is on a read-only mount of
// its own, such as Kubernetes makes of a ConfigMap. A file system that may be read-only for this
// process alone does not count. Returns false if it cannot be found out.
bool IsReadOnlyForAll(int fd);
bool IsReadOnlyForAll(const std::string& path);

}  // namespace proxyd
