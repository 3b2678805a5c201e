// SPDX-License-Identifier: Apache-2.0
#include "run/daemon.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "observe/log.h"
#include "run/runtime_folder.h"

namespace proxyd {

namespace {

// How long a process that exits at once may take to write its last line.
constexpr std::chrono::milliseconds kLastLine{100};

ReloadSource SourceOf(const DaemonOptions& options) {
  ReloadSource source = {.config_path = options.config_path,
                         .log_level = options.log_level,
                         .sandbox = std::nullopt,
                         .verdict_file = InRuntimeFolder(kReloadVerdictFile)};
  if (options.sandbox) source.sandbox = options.sandbox->left;
  return source;
}

std::string_view ConfinementOf(const DaemonOptions& options) {
  if (!options.sandbox) return "not confined";
  return options.sandbox->warnings.empty() ? "confined" : "confined in part";
}

}  // namespace

Daemon::Daemon(event_base* base, SnapshotPtr snapshot, Audit& audit, const DaemonOptions& options,
               std::function<void()> ended)
    : audit_(audit),
      confinement_(ConfinementOf(options)),
      reports_(audit),
      ended_(std::move(ended)),
      proxy_(base, snapshot, reports_),
      systemd_(proxy_.loop()),
      reserve_(proxy_.loop()),
      signals_(base),
      info_{.proxy = proxy_,
            .reports = reports_,
            .started = std::chrono::system_clock::now(),
            .loaded = std::chrono::system_clock::now(),
            .digest = DigestOf(snapshot->config),
            .sandboxed = options.sandbox.has_value()},
      admin_(info_, *this),
      metrics_(info_),
      reloader_(base, std::move(snapshot), SourceOf(options),
                {.proxy = proxy_,
                 .admin = admin_,
                 .metrics = metrics_,
                 .audit = audit_,
                 .systemd = systemd_,
                 .reserve = reserve_,
                 .info = info_}) {}

ttrpc::Status Daemon::Start() {
  PassedSockets passed = Systemd::TakeSockets();
  if (ttrpc::Status status = Listen(&passed); !status.ok()) return status;
  // A client that connects to one of these would wait without end if it stayed open.
  for (const auto& [name, socket] : passed)
    spdlog::warn("socket with FileDescriptorName={}: closed; no listener uses it", name);
  if (ttrpc::Status status = HandleSignals(); !status.ok()) return status;
  LogStart();
  const std::string summary = SummaryOf(proxy_.config());
  spdlog::info("ready: {}", summary);
  systemd_.Ready(summary);
  return {};
}

// A bug report should begin with this line.
void Daemon::LogStart() const {
  spdlog::info("ttrpc-proxyd {}: configuration {}, digest {}, {}", TTRPC_PROXY_VERSION,
               proxy_.config().file, info_.digest, confinement_);
}

// The admin and metrics sockets are prepared first, so that a client that finds a listener can ask
// about it.
ttrpc::Status Daemon::Listen(PassedSockets* passed) {
  auto admin = admin_.Prepare(proxy_.config());
  if (!admin) return admin.error();
  auto metrics = metrics_.Prepare(proxy_.config());
  if (!metrics) return metrics.error();
  if (ttrpc::Status status = proxy_.Listen(passed); !status.ok()) return status;
  // Commit() returns the sockets that it replaces, and at a start there are none.
  static_cast<void>(admin_.Commit(*std::move(admin)));
  static_cast<void>(metrics_.Commit(*std::move(metrics)));
  return {};
}

ttrpc::Status Daemon::HandleSignals() {
  signals_.On(SIGTERM, [this] { Drain("SIGTERM"); });
  signals_.On(SIGINT, [this] { Drain("SIGINT"); });
  signals_.On(SIGHUP, [this] { Reload(); });
  signals_.On(SIGUSR1, [this] { ReopenFiles(); });
  signals_.On(SIGUSR2, [] { spdlog::warn("upgrade in place is not supported yet"); });
  if (signals_.failed()) return {ttrpc::StatusCode::kResourceExhausted, "cannot wait for signals"};
  Release(kRequestSignals);
  Release(kStopSignals);
  return {};
}

// The line that names the signal is the first one in the new file, before errors of opening it.
void Daemon::ReopenFiles() {
  const Config& config = proxy_.config();
  std::string files;
  if (config.log.target == LogConfig::Target::kFile) files += " " + config.log.path;
  if (config.audit.target == AuditConfig::Target::kFile) files += " " + config.audit.path;
  reserve_.Lend();
  ReopenLog();
  audit_.Reopen();
  spdlog::info("SIGUSR1: {}{}", files.empty() ? "neither log nor audit is a file" : "reopening",
               files);
}

void Daemon::Drain(const std::string& asker) {
  const Proxy::InFlight left = proxy_.in_flight();
  if (std::exchange(info_.draining, true)) {
    spdlog::warn("second request to stop: exiting with {} calls of {} peers in flight", left.calls,
                 left.peers);
    ShutDownLog(std::chrono::steady_clock::now() + kLastLine);
    ::_exit(EXIT_FAILURE);
  }
  info_.drain_began = std::chrono::system_clock::now();
  spdlog::info("draining: requested by {}; {} peers, {} calls in flight", asker, left.peers,
               left.calls);
  systemd_.Stopping("draining");
  admin_.StopListening();
  metrics_.StopListening();
  proxy_.Drain([this] { ended_(); });
}

void Daemon::LogCounters() {
  const WorkerCounters& c = proxy_.counters();
  spdlog::info(
      "stopped: {} peers, {} refused; {} calls, {} denied, {} requests refused; dropped {} "
      "messages from peers, {} from "
      "backends; {} protocol errors, {} timeouts; limits: {} refusals",
      c.peers, c.peers_refused, c.calls, c.denied, c.refused, c.of(ProtocolError::kPeerMessageType),
      c.of(ProtocolError::kBackendMessage),
      c.of(ProtocolError::kPeerHeader) + c.of(ProtocolError::kBackendHeader), c.timed_out,
      std::accumulate(c.limit_refusals.begin(), c.limit_refusals.end(), uint64_t{0}));
}

}  // namespace proxyd
