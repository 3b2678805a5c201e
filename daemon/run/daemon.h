// SPDX-License-Identifier: Apache-2.0
//
// Daemon: serves from the first socket until it has drained. It owns the parts that serve, and
// connects them with signals and with systemd. On the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "admin/admin_server.h"
#include "config/config.h"
#include "http/metrics.h"
#include "http/metrics_server.h"
#include "observe/audit.h"
#include "observe/reports.h"
#include "observe/sliced_text.h"
#include "policy/snapshot.h"
#include "proxy/daemon_info.h"
#include "proxy/proxy.h"
#include "run/descriptor_reserve.h"
#include "run/reloader.h"
#include "run/signals.h"
#include "run/systemd.h"
#include "sandbox/sandbox.h"
#include "ttrpc/status.h"

namespace proxyd {

struct DaemonOptions {
  std::string config_path;            // each reload reads it again
  std::optional<LogLevel> log_level;  // overrides the configuration, also after a reload
  std::optional<Sandbox> sandbox;     // none if the process is not confined
};

class Daemon final : private AdminActions {
 public:
  // `base` and `audit` must outlive the daemon. `ended` is called once, after a drain has finished.
  Daemon(event_base* base, SnapshotPtr snapshot, Audit& audit, const DaemonOptions& options,
         std::function<void()> ended);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Opens the sockets, and handles signals from then on. An error names the socket or the resource
  // that is missing.
  ttrpc::Status Start();

  // Logs the counters since the start.
  void LogCounters();

 private:
  ttrpc::Status Listen(PassedSockets* passed);
  ttrpc::Status HandleSignals();
  void LogStart() const;
  void ReopenFiles();
  void Reload() override { reloader_.Reload(); }
  void Drain(const std::string& asker) override;
  std::unique_ptr<SlicedText> Metrics() override {
    return MetricsText(info_, MetricsParts::kWithoutProcess);
  }

  Audit& audit_;
  const std::string_view confinement_;
  Reports reports_;
  const std::function<void()> ended_;
  Proxy proxy_;
  Systemd systemd_;
  DescriptorReserve reserve_;
  Signals signals_;
  DaemonInfo info_;
  AdminServer admin_;
  MetricsServer metrics_;
  Reloader reloader_;
};

}  // namespace proxyd
