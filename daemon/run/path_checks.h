// SPDX-License-Identifier: Apache-2.0
//
// Path checks: whether the daemon can make its sockets and files where the configuration has them.
// A directory that is missing or cannot be written stays so until somebody changes it, so it counts
// as an error in the configuration. Reads the file system; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "sandbox/sandbox_plan.h"
#include "ttrpc/status.h"

namespace proxyd {

enum class PathsFor {
  kStart,  // this process is the daemon
  // This process may have other rights than the daemon. The directories that systemd makes for an
  // installed service may be missing, since they exist only while the service runs.
  kCheck,
};

struct PathErrors {
  std::vector<ConfigError> errors;
  // `the service needs ReadWritePaths=DIRECTORY in a drop-in (…)`, or empty if no directory is
  // read-only.
  std::string drop_in;
};

// Checks the log's and the audit's file, the directory of each socket at a path and that of the
// sockets of workloads, and that no two of them are at one place (places.h).
PathErrors CheckPaths(const Config& config, PathsFor purpose);

// Does the same as CheckCovers(), with more advice: the error names the drop-in that a restart
// would need, or is `directory DIRECTORY does not exist; create it`.
ttrpc::Status CheckCoversOrAdvise(const SandboxPlan& left, const SandboxPlan& needed);

}  // namespace proxyd
