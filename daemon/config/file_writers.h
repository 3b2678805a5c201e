// SPDX-License-Identifier: Apache-2.0
//
// File writers: whether anyone but root and our effective user could change a file or a directory,
// judged by its owner, its mode and its access control list. The functions read the file system,
// which may block; any thread may call them.
#pragma once

#include <string>

#include "ttrpc/status.h"

namespace proxyd {

// Returns PERMISSION_DENIED if anyone else could. The message says who and what to do, as a
// predicate of the file's name: `is owned by uid 1000; make root its owner`. Any other error means
// that the answer is unknown. A symbolic link is followed.
ttrpc::Status CheckWriters(int fd);
ttrpc::Status CheckWriters(const std::string& path);

// Returns whether nobody can change the file, whatever its mode says: it is on a read-only mount of
// its own, such as Kubernetes makes of a ConfigMap. A file system that may be read-only for this
// process alone does not count. Returns false if it cannot be found out.
bool IsReadOnlyForAll(int fd);
bool IsReadOnlyForAll(const std::string& path);

}  // namespace proxyd
