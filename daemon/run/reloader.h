// SPDX-License-Identifier: Apache-2.0
//
// Reloader: a reload from when it is asked for until its outcome is reported. The configuration is
// read, and all that may block is prepared, on a thread of its own; applying it on the loop then
// either succeeds or leaves everything as it was. On the loop's thread.
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
#include "ttrpc/timer.h"

namespace proxyd {

// What every reload reads from, and what this start has fixed for all of them.
struct ReloadSource {
  std::string config_path;
  std::optional<LogLevel> log_level;   // instead of the configuration's
  std::optional<SandboxPlan> sandbox;  // what the sandbox left us; none: not confined
  std::string verdict_file = {};       // gets each outcome; empty: none does
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
  // drains; the verdict file says so.
  void Reload();

 private:
  class ReadWork;
  class EndWork;
  // Work that is left for another thread once the outcome is known.
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
  void RunEnd();
  void Report(const ReloadOutcome& outcome);

  SnapshotPtr snapshot_;
  const ReloadSource source_;
  const Parts parts_;
  bool reloading_ = false;    // from when it is asked for until its outcome is reported
  bool asked_again_ = false;  // meanwhile
  std::chrono::steady_clock::time_point read_;  // when the last reading began
  std::string differences_;                     // from the configuration before
  Background background_;
  // The end of a reload for which there was no thread yet; tried again after a while.
  std::unique_ptr<Background::Work> end_;
  ttrpc::Timer end_again_;
  int end_attempts_left_ = 0;
};

}  // namespace proxyd
