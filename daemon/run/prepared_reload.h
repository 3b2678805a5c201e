// SPDX-License-Identifier: Apache-2.0
//
// PreparedReload: a new configuration and everything that is needed to apply it: its policy, its
// sockets and its outputs. PrepareReload() runs outside the loop, since reading files, asking the
// user database and opening outputs may block. Any thread.
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

// The sockets that exist, by the part of the daemon that listens on them.
struct SocketsHere {
  std::vector<ListenerSet::Here> listeners = {};
  std::vector<ListenerSet::Here> admin = {};
  std::vector<ListenerSet::Here> metrics = {};
};

struct ReloadOptions {
  std::string path;
  std::optional<LogLevel> log_level;   // overrides the configuration
  std::optional<SandboxPlan> sandbox;  // rights that the sandbox left; none if not confined
  SocketsHere here;
  SnapshotPtr before;  // in force; outputs that it shares are not opened again
};

struct PreparedReload {
  // Each is one line. If there are none, every following member is set.
  std::vector<std::string> errors;
  std::vector<std::string> warnings;  // the same as --check prints
  SnapshotPtr snapshot;
  std::string digest;
  std::string differences;          // see Differences()
  ListenerSet::NewSockets sockets;  // the listeners'
  ListenerSet::NewSockets admin_sockets;
  ListenerSet::NewSockets metrics_sockets;
  std::unique_ptr<LogOutput> log;      // null if the log's target stays
  std::unique_ptr<AuditTarget> audit;  // null if the audit's target stays or is the log

  // Destroying new sockets removes them, which may block.
  bool has_sockets() const {
    return sockets.size() + admin_sockets.size() + metrics_sockets.size() > 0;
  }
};

PreparedReload PrepareReload(const ReloadOptions& options);

// Returns a snapshot with the overflow ids of this system. Another thread destroys it, so that its
// last owner need not wait.
SnapshotPtr MakeSnapshot(Config config);

}  // namespace proxyd
