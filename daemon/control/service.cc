// SPDX-License-Identifier: Apache-2.0
#include "control/service.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "observe/log.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

namespace {

bool SameTarget(const AuditConfig& a, const AuditConfig& b) {
  return a.target == b.target && a.path == b.path;
}

bool SameTarget(const LogConfig& a, const LogConfig& b) {
  return a.target == b.target && a.path == b.path && a.format == b.format && a.level == b.level;
}

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
      options_(std::move(options)),
      ended_(std::move(ended)),
      proxy_(base, snapshot_, audit),
      manager_(proxy_.loop()),
      reserve_(proxy_.loop()),
      signals_(base),
      reader_(base, options_.config_path,
              [this](LoadedConfig loaded) { Loaded(std::move(loaded)); }) {}

ttrpc::Status Service::Start() {
  PassedSockets passed = ServiceManager::TakeSockets();
  if (ttrpc::Status status = proxy_.Listen(&passed); !status.ok()) return status;
  // Whoever connected to them would wait for ever.
  for (const auto& [name, socket] : passed)
    spdlog::warn("the socket passed with FileDescriptorName={} is no listener's: closed", name);
  if (ttrpc::Status status = MindSignals(); !status.ok()) return status;
  spdlog::info("ready: {}", Describe());
  manager_.Ready(Describe());
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
  return {};
}

void Service::Stop() {
  if (std::exchange(draining_, true)) {
    spdlog::warn("told to stop again: exiting with calls in flight");
    ShutDownLog();
    ::_exit(EXIT_FAILURE);
  }
  spdlog::info("draining");
  manager_.Stopping("draining");
  proxy_.Drain([this] { ended_(); });
}

// Reload.

void Service::Reload() {
  if (draining_) {
    spdlog::warn("told to reload while draining: the configuration stays as it is");
    return;
  }
  manager_.Reloading();
  reserve_.Lend();
  reader_.Read();
}

void Service::Loaded(LoadedConfig loaded) {
  if (draining_) return;
  ttrpc::Status status;
  if (loaded.config) {
    if (options_.log_level) loaded.config->log.level = *options_.log_level;
    status = Apply(MakeSnapshot(*std::move(loaded.config)));
    if (!status.ok()) spdlog::error("{}", status.message());
  }
  for (const ConfigError& error : loaded.errors) spdlog::error("{}", error.ToString());
  const bool taken = loaded.errors.empty() && status.ok();
  if (taken) {
    spdlog::info("reloaded: {}", Describe());
  } else {
    spdlog::error("reload refused: the configuration stays as it is");
  }
  reserve_.TakeBack();
  manager_.Ready(taken ? Describe() : Describe() + "; the last reload was refused");
}

// All that can fail comes before anything that cannot be taken back.
ttrpc::Status Service::Apply(SnapshotPtr next) {
  const Config& before = snapshot_->config;
  const Config& after = next->config;
  if (options_.sandbox) {
    ttrpc::Status status = CheckCovers(options_.sandbox->left, PlanSandbox(after));
    if (!status.ok()) return status;
  }
  std::unique_ptr<AuditTarget> target;
  if (!SameTarget(before.audit, after.audit)) {
    auto made = MakeAuditTarget(after.audit);
    if (!made) return made.error();
    target = *std::move(made);
  }
  auto change = proxy_.PrepareReload(after);
  if (!change) return change.error();
  if (!SameTarget(before.log, after.log)) {
    if (ttrpc::Status status = SetUpLog(after.log); !status.ok()) return status;
  }

  audit_.Reconfigure(after.audit, std::move(target));
  if (before.daemon != after.daemon)
    spdlog::warn("[daemon] is taken at the next start only");
  proxy_.Reload(next, *std::move(change));
  snapshot_ = std::move(next);
  return {};
}

}  // namespace proxyd
