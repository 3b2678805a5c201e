// SPDX-License-Identifier: Apache-2.0
//
// PreparedReload: a new configuration with everything that it takes to apply it: its policy, its
// sockets, its outputs. PrepareReload() makes one away from the loop, since reading files, asking
// the user database and opening outputs may block. Any thread.
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

// The sockets that there are, by who listens on them.
struct SocketsHere {
  std::vector<ListenerSet::Here> listeners = {};
  std::vector<ListenerSet::Here> admin = {};
  std::vector<ListenerSet::Here> metrics = {};
};

struct ReloadOptions {
  std::string path;
  std::optional<LogLevel> log_level;   // instead of the configuration's
  std::optional<SandboxPlan> sandbox;  // what the sandbox has left us; none: everything
  SocketsHere here;
  SnapshotPtr before;  // in force; outputs that stay the same are not opened again
};

struct PreparedReload {
  // Each is one line. Without any, all that follows is there.
  std::vector<std::string> errors;
  std::vector<std::string> warnings;  // as --check has them
  SnapshotPtr snapshot;
  std::string digest;
  std::string differences;          // see Differences()
  ListenerSet::NewSockets sockets;  // of listeners
  ListenerSet::NewSockets admin_sockets;
  ListenerSet::NewSockets metrics_sockets;
  std::unique_ptr<LogOutput> log;      // null: the log's target stays
  std::unique_ptr<AuditTarget> audit;  // null: the audit's stays, or is the log

  // Its end may block.
  bool has_sockets() const {
    return sockets.size() + admin_sockets.size() + metrics_sockets.size() > 0;
  }
};

PreparedReload PrepareReload(const ReloadOptions& options);

// A snapshot with the overflow ids of this system. It is destroyed on another thread, so that its
// last owner does not wait for that.
SnapshotPtr MakeSnapshot(Config config);

}  // namespace proxyd
