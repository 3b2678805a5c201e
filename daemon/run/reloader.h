// SPDX-License-Identifier: Apache-2.0
//
// Reloader: runs a reload, from the request until the report of its outcome. Another thread reads
// the configuration and prepares all that may block. The loop then applies it, which either
// succeeds or leaves everything as it was. On the loop's thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/admin_server.h"
#include "config/config.h"
#include "config/reload_verdict.h"
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

// The input of every reload, fixed when the daemon starts.
struct ReloadSource {
  std::string config_path;
  std::optional<LogLevel> log_level;   // overrides the configuration
  std::optional<SandboxPlan> sandbox;  // rights that the sandbox left; none if not confined
  std::string verdict_file = {};       // gets each outcome; if empty, no file is written
};

class Reloader {
 public:
  // The parts that a reload changes or informs. All of them must outlive the reloader.
  struct Parts {
    Proxy& proxy;
    AdminServer& admin;
    MetricsServer& metrics;
    Audit& audit;
    Systemd& systemd;
    DescriptorReserve& reserve;
    DaemonInfo& info;
  };

  // `base` must outlive the reloader. `snapshot` is the configuration in force.
  Reloader(event_base* base, SnapshotPtr snapshot, ReloadSource source, const Parts& parts);
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  // Starts a reload, or makes the running one read its files again. While the daemon drains, the
  // reload is refused, and the verdict file reports that.
  void Reload();

 private:
  class ReadWork;
  class EndWork;
  // Work for another thread, once the outcome is known.
  struct Ending {
    ReloadOutcome outcome;
    ReloadVerdict verdict = {};
    std::vector<BoundSocket> gone = {};
    PreparedReload unused = {};
  };

  void Read(std::optional<PreparedReload> dropped);
  void Finish(PreparedReload prepared);
  ttrpc::Status Apply(PreparedReload* prepared, std::vector<BoundSocket>* gone);
  void ApplyOutputs(PreparedReload* prepared);
  void RefuseWhileDraining();
  void End(Ending ending);
  void Report(const ReloadOutcome& outcome);

  SnapshotPtr snapshot_;
  const ReloadSource source_;
  const Parts parts_;
  bool reloading_ = false;                      // from the request until the report of the outcome
  bool asked_again_ = false;                    // another request came meanwhile
  std::chrono::steady_clock::time_point read_;  // when the last reading began
  std::string differences_;                     // from the previous configuration
  Background background_;
};

}  // namespace proxyd
