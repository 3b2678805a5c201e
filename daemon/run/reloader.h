// SPDX-License-Identifier: Apache-2.0
//
// Reloader: a reload from when it is asked for until its outcome is reported. The configuration is
// read, and all that may block is prepared, on a thread of its own; applying it on the loop then
// either succeeds or leaves everything as it was. On the loop's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/admin_server.h"
#include "config/config.h"
#include "http/metrics_server.h"
#include "observe/audit.h"
#include "policy/snapshot.h"
#include "proxy/daemon_info.h"
#include "proxy/proxy.h"
#include "run/background.h"
#include "run/descriptor_reserve.h"
#include "run/prepared_reload.h"
#include "run/systemd.h"
#include "sandbox/sandbox_plan.h"
#include "ttrpc/status.h"

namespace proxyd {

// What every reload reads from, and what this start has fixed for all of them.
struct ReloadSource {
  std::string config_path;
  std::optional<LogLevel> log_level;   // instead of the configuration's
  std::optional<SandboxPlan> sandbox;  // what the sandbox left us; none: not confined
};

class Reloader {
 public:
  // What a reload changes, and whom it keeps informed. All of them must outlive the reloader.
  struct Parts {
    Proxy& proxy;
    AdminServer& admin;
    MetricsServer& metrics;
    Audit& audit;
    Systemd& systemd;
    DescriptorReserve& reserve;
    DaemonInfo& info;
  };

  // `base` must outlive it. `snapshot` is the one in force.
  Reloader(event_base* base, SnapshotPtr snapshot, ReloadSource source, const Parts& parts);
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  // Starts a reload, or has the one that runs read its files again. Refused while the daemon
  // drains.
  void Reload();

 private:
  class ReadWork;
  class CleanupWork;

  void Read(std::optional<PreparedReload> dropped);
  void Finish(PreparedReload prepared);
  ttrpc::Status Apply(PreparedReload* prepared, std::vector<BoundSocket>* gone);
  void ApplyOutputs(PreparedReload* prepared);
  void Report(const ReloadOutcome& outcome);

  SnapshotPtr snapshot_;
  const ReloadSource source_;
  const Parts parts_;
  bool reloading_ = false;    // from when it is asked for until its outcome is reported
  bool asked_again_ = false;  // meanwhile
  Background background_;
};

}  // namespace proxyd
