// SPDX-License-Identifier: Apache-2.0
//
// Daemon: the daemon from when it listens until it has drained: what it does on signals, what it
// tells the service manager, how it reloads. On the thread that runs the loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/admin_server.h"
#include "admin/reload_outcome.h"
#include "config/config.h"
#include "http/metrics_server.h"
#include "observe/audit.h"
#include "observe/reports.h"
#include "policy/snapshot.h"
#include "proxy/daemon_info.h"
#include "proxy/proxy.h"
#include "run/background.h"
#include "run/descriptor_reserve.h"
#include "run/prepared_reload.h"
#include "run/signals.h"
#include "run/systemd.h"
#include "sandbox/sandbox.h"
#include "ttrpc/status.h"

namespace proxyd {

struct DaemonOptions {
  std::string config_path;            // read again at SIGHUP
  std::optional<LogLevel> log_level;  // instead of the configuration's, then as now
  std::optional<Sandbox> sandbox;     // none: not confined
};

class Daemon final : private AdminActions {
 public:
  // `base` and `audit` must outlive it. `ended` is called once, when it was told to stop and has
  // drained.
  Daemon(event_base* base, SnapshotPtr snapshot, Audit& audit, DaemonOptions options,
         std::function<void()> ended);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Listens, and minds signals from here on. The error says what could not be had.
  ttrpc::Status Start();

  const WorkerCounters& counters() { return proxy_.counters(); }

 private:
  class ReadWork;
  class EndWork;

  ttrpc::Status Listen(PassedSockets* passed);
  ttrpc::Status MindSignals();
  void Stop();
  void Reload() override;
  void Drain() override { Stop(); }
  void Read(std::optional<PreparedReload> dropped);
  void HaveRead(PreparedReload reading);
  ttrpc::Status Apply(PreparedReload* reading, std::vector<ttrpc::ListeningSocket>* gone);
  void Ended(const ReloadOutcome& outcome);
  std::string Describe() const;

  SnapshotPtr snapshot_;
  Audit& audit_;
  Reports reports_;
  const DaemonOptions options_;
  std::function<void()> ended_;
  Proxy proxy_;
  Systemd manager_;
  DescriptorReserve reserve_;
  Signals signals_;
  Background background_;
  bool reloading_ = false;  // from when it is asked for until its outcome is reported
  bool again_ = false;      // asked for meanwhile
  DaemonInfo info_;
  AdminServer admin_;
  MetricsServer metrics_;
};

// Where the audit that is configured like this goes; after SetUpLog().
ttrpc::Result<std::unique_ptr<AuditTarget>> MakeAuditTarget(const AuditConfig& config);

}  // namespace proxyd
