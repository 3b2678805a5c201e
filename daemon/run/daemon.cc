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

namespace proxyd {

namespace {

// How long the last line of a process that is to end at once may take.
constexpr std::chrono::milliseconds kLastLine{100};

ReloadSource SourceOf(const DaemonOptions& options) {
  ReloadSource source = {
      .config_path = options.config_path, .log_level = options.log_level, .sandbox = std::nullopt};
  if (options.sandbox) source.sandbox = options.sandbox->left;
  return source;
}

}  // namespace

Daemon::Daemon(event_base* base, SnapshotPtr snapshot, Audit& audit, const DaemonOptions& options,
               std::function<void()> ended)
    : audit_(audit),
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
  // A client that connected to one of these would wait for ever if it stayed open.
  for (const auto& [name, socket] : passed)
    spdlog::warn("the socket passed with FileDescriptorName={} is no listener's: closed", name);
  if (ttrpc::Status status = HandleSignals(); !status.ok()) return status;
  const std::string summary = SummaryOf(proxy_.config());
  spdlog::info("ready: {}", summary);
  systemd_.Ready(summary);
  return {};
}

// The admin and metrics sockets come first, so that a client that finds a listener can ask about
// it.
ttrpc::Status Daemon::Listen(PassedSockets* passed) {
  auto admin = admin_.Prepare(proxy_.config());
  if (!admin) return admin.error();
  auto metrics = metrics_.Prepare(proxy_.config());
  if (!metrics) return metrics.error();
  if (ttrpc::Status status = proxy_.Listen(passed); !status.ok()) return status;
  admin_.Commit(*std::move(admin));
  metrics_.Commit(*std::move(metrics));
  return {};
}

ttrpc::Status Daemon::HandleSignals() {
  signals_.On(SIGTERM, [this] { Drain(); });
  signals_.On(SIGINT, [this] { Drain(); });
  signals_.On(SIGHUP, [this] { Reload(); });
  signals_.On(SIGUSR1, [this] {
    reserve_.Lend();
    ReopenLog();
    audit_.Reopen();
  });
  signals_.On(SIGUSR2, [] { spdlog::warn("upgrade in place is not supported yet"); });
  if (signals_.failed())
    return {ttrpc::StatusCode::kResourceExhausted, "signals cannot be waited for"};
  Release(kRequestSignals);
  Release(kStopSignals);
  return {};
}

void Daemon::Drain() {
  if (std::exchange(info_.draining, true)) {
    spdlog::warn("told to stop again: exiting with calls in flight");
    ShutDownLog(std::chrono::steady_clock::now() + kLastLine);
    ::_exit(EXIT_FAILURE);
  }
  info_.drain_began = std::chrono::system_clock::now();
  spdlog::info("draining");
  systemd_.Stopping("draining");
  proxy_.Drain([this] { ended_(); });
}

void Daemon::LogCounters() {
  const WorkerCounters& c = proxy_.counters();
  spdlog::info(
      "stopped: {} peers, {} refused; {} calls, {} denied, {} requests refused; dropped {} "
      "messages of peers, {} of "
      "backends; {} protocol errors, {} timeouts; limits: {} refusals",
      c.peers, c.peers_refused, c.calls, c.denied, c.refused, c.of(ProtocolError::kPeerMessageType),
      c.of(ProtocolError::kBackendMessage),
      c.of(ProtocolError::kPeerHeader) + c.of(ProtocolError::kBackendHeader), c.timed_out,
      std::accumulate(c.limit_refusals.begin(), c.limit_refusals.end(), uint64_t{0}));
}

}  // namespace proxyd
