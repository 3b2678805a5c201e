// SPDX-License-Identifier: Apache-2.0
//
// Path checks: whether the daemon can make its sockets and files where the configuration has them.
// A directory that is missing or cannot be written stays so until somebody changes it, which makes
// it an error of the configuration. Looks at the file system; any thread.
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
  // This process may have other rights than the daemon, and systemd makes the directories of an
  // installed service only when it starts it.
  kCheck,
};

struct PathErrors {
  std::vector<ConfigError> errors;
  // `the service needs ReadWritePaths=DIRECTORY in a drop-in (…)`, or empty where nothing is
  // read-only.
  std::string drop_in;
};

// Looks at the log's and the audit's file, at the directory of each socket at a path, and whether
// two of them are at one place (places.h).
PathErrors CheckPaths(const Config& config, PathsFor purpose);

// CheckCovers(), whose error also names the drop-in without which a restart would fail.
ttrpc::Status CheckCoversOrAdvise(const SandboxPlan& left, const SandboxPlan& needed);

}  // namespace proxyd
