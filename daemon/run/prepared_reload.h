// SPDX-License-Identifier: Apache-2.0
//
// PrepareReload: all of a reload that may take long, or may wait for files, sockets or the user
// database, so that the loop has little left to do. Blocks; any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "observe/audit.h"
#include "observe/log_output.h"
#include "policy/snapshot.h"
#include "proxy/listener_set.h"
#include "sandbox/sandbox_plan.h"

namespace proxyd {

struct ReloadOptions {
  std::string path;
  std::optional<LogLevel> log_level;   // instead of the configuration's
  std::optional<SandboxPlan> sandbox;  // what is left of the file system; none: all of it
  std::vector<std::string> here;       // where there are sockets already
  SnapshotPtr before;                  // in force: what stays as it is there is not opened again
};

struct PreparedReload {
  // One a line. None: all that follows is there.
  std::vector<std::string> errors;
  std::vector<std::string> warnings;  // as --check has them
  SnapshotPtr snapshot;
  std::string digest;
  ListenerSet::NewSockets sockets;
  std::unique_ptr<LogOutput> log;      // null: the log's target stays
  std::unique_ptr<AuditTarget> audit;  // null: the audit's stays, or is the log
};

PreparedReload PrepareReload(const ReloadOptions& options);

// Of this system: with the ids as which its kernel shows those without a mapping. Its last owner
// does not wait until it is destroyed.
SnapshotPtr MakeSnapshot(Config config);

}  // namespace proxyd
