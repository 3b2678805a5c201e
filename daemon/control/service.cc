// SPDX-License-Identifier: Apache-2.0
#include "control/service.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "control/places.h"
#include "observe/log.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

namespace {

bool SameTarget(const AuditConfig& a, const AuditConfig& b) {
  return a.target == b.target && a.path == b.path;
}

bool SameTarget(const LogConfig& a, const LogConfig& b) {
  return a.target == b.target && a.path == b.path;
}

// How long the last line of a process that is to end at once may take.
constexpr std::chrono::milliseconds kLastLine{100};

}  // namespace

SnapshotPtr MakeSnapshot(Config config) {
  const OverflowIds overflow = {.uid = ttrpc::OverflowUid(), .gid = ttrpc::OverflowGid()};
  return std::make_shared<const Snapshot>(std::move(config), overflow);
}

ttrpc::Result<std::unique_ptr<AuditTarget>> MakeAuditTarget(const AuditConfig& config) {
  if (config.target == AuditConfig::Target::kFile) return MakeFileAuditTarget(config.path);
  return MakeLogAuditTarget();
}

Service::Service(event_base* base, SnapshotPtr snapshot, Audit& audit, ServiceOptions options,
                 std::function<void()> ended)
    : snapshot_(std::move(snapshot)),
      audit_(audit),
      reports_(audit),
      options_(std::move(options)),
      ended_(std::move(ended)),
      proxy_(base, snapshot_, reports_),
      manager_(proxy_.loop()),
      reserve_(proxy_.loop()),
      signals_(base),
      reader_(base, options_.config_path,
              [this](LoadedConfig loaded) { Loaded(std::move(loaded)); }),
      vitals_{.proxy = proxy_,
              .reports = reports_,
              .started = std::chrono::system_clock::now(),
              .loaded = std::chrono::system_clock::now(),
              .digest = DigestOf(snapshot_->config),
              .sandboxed = options_.sandbox.has_value()},
      admin_(vitals_, *this),
      metrics_(vitals_) {}

ttrpc::Status Service::Start() {
  PassedSockets passed = ServiceManager::TakeSockets();
  if (ttrpc::Status status = Listen(&passed); !status.ok()) return status;
  // Whoever connected to them would wait for ever.
  for (const auto& [name, socket] : passed)
    spdlog::warn("the socket passed with FileDescriptorName={} is no listener's: closed", name);
  if (ttrpc::Status status = MindSignals(); !status.ok()) return status;
  spdlog::info("ready: {}", Describe());
  manager_.Ready(Describe());
  return {};
}

// Where the daemon itself is asked first: whoever finds a listener there can ask about it.
ttrpc::Status Service::Listen(PassedSockets* passed) {
  auto admin = admin_.Prepare(snapshot_->config);
  if (!admin) return admin.error();
  auto metrics = metrics_.Prepare(snapshot_->config);
  if (!metrics) return metrics.error();
  if (ttrpc::Status status = proxy_.Listen(passed); !status.ok()) return status;
  admin_.Commit(*std::move(admin));
  metrics_.Commit(*std::move(metrics));
  return {};
}

std::string Service::Describe() const {
  const Config& config = snapshot_->config;
  return fmt::format("{} listeners, {} rules, {} backends", config.listeners.size(),
                     config.rules.size(), config.backends.size());
}

ttrpc::Status Service::MindSignals() {
  signals_.On(SIGTERM, [this] { Stop(); });
  signals_.On(SIGINT, [this] { Stop(); });
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

void Service::Stop() {
  if (std::exchange(vitals_.draining, true)) {
    spdlog::warn("told to stop again: exiting with calls in flight");
    ShutDownLog(std::chrono::steady_clock::now() + kLastLine);
    ::_exit(EXIT_FAILURE);
  }
  spdlog::info("draining");
  manager_.Stopping("draining");
  proxy_.Drain([this] { ended_(); });
}

// Reload.

void Service::Reload() {
  if (vitals_.draining) {
    spdlog::warn("told to reload while draining: the configuration stays as it is");
    return;
  }
  manager_.Reloading();
  reserve_.Lend();
  reader_.Read();
}

void Service::Loaded(LoadedConfig loaded) {
  ReloadOutcome outcome;
  for (const ConfigError& error : loaded.errors) outcome.errors.push_back(error.ToString());
  if (vitals_.draining) {
    outcome.errors.emplace_back("draining");
    return admin_.Reloaded(outcome);
  }
  if (loaded.config) {
    if (options_.log_level) loaded.config->log.level = *options_.log_level;
    const SnapshotPtr next = MakeSnapshot(*std::move(loaded.config));
    const ttrpc::Status status = Apply(next);
    if (!status.ok()) outcome.errors.push_back(status.message());
    for (const ConfigError& warning :
         CheckConfig(next->config, next->policy.overflow().uid, next->policy.overflow().gid))
      outcome.warnings.push_back(warning.ToString());
  }
  for (const std::string& error : outcome.errors) spdlog::error("{}", error);
  const bool taken = outcome.errors.empty();
  if (taken) {
    ++vitals_.reloads;
    spdlog::info("reloaded: {}", Describe());
  } else {
    ++vitals_.reloads_refused;
    spdlog::error("reload refused: the configuration stays as it is");
  }
  reserve_.TakeBack();
  manager_.Ready(taken ? Describe() : Describe() + "; the last reload was refused");
  admin_.Reloaded(outcome);
}

// All that can fail comes before anything that cannot be taken back.
ttrpc::Status Service::Apply(SnapshotPtr next) {
  const Config& before = snapshot_->config;
  const Config& after = next->config;
  if (options_.sandbox) {
    ttrpc::Status status = CheckCoversOrAdvise(options_.sandbox->left, PlanSandbox(after));
    if (!status.ok()) return status;
  }
  std::unique_ptr<AuditTarget> target;
  if (!SameTarget(before.audit, after.audit)) {
    auto made = MakeAuditTarget(after.audit);
    if (!made) return made.error();
    target = *std::move(made);
  }
  std::unique_ptr<LogOutput> log;
  if (!SameTarget(before.log, after.log)) {
    auto made = PrepareLog(after.log);
    if (!made) return made.error();
    log = *std::move(made);
  }
  auto change = proxy_.PrepareReload(after);
  if (!change) return change.error();
  auto admin = admin_.Prepare(after);
  if (!admin) return admin.error();
  auto metrics = metrics_.Prepare(after);
  if (!metrics) return metrics.error();

  // Only if it is to be another one: a level that was set meanwhile stays.
  if (log || before.log.level != after.log.level || before.log.format != after.log.format)
    SetUpLog(after.log, std::move(log));
  audit_.Reconfigure(after.audit, std::move(target));
  if (before.daemon != after.daemon) spdlog::warn("[daemon] is taken at the next start only");
  proxy_.Reload(next, *std::move(change));
  snapshot_ = std::move(next);
  admin_.Commit(*std::move(admin));
  metrics_.Commit(*std::move(metrics));
  vitals_.loaded = std::chrono::system_clock::now();
  vitals_.digest = DigestOf(snapshot_->config);
  return {};
}

}  // namespace proxyd
