// SPDX-License-Identifier: Apache-2.0
#include "run/daemon.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "observe/log.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

namespace {

// How long the last line of a process that is to end at once may take.
constexpr std::chrono::milliseconds kLastLine{100};

}  // namespace

ttrpc::Result<std::unique_ptr<AuditTarget>> MakeAuditTarget(const AuditConfig& config) {
  if (config.target == AuditConfig::Target::kFile) return MakeFileAuditTarget(config.path);
  return MakeLogAuditTarget();
}

Daemon::Daemon(event_base* base, SnapshotPtr snapshot, Audit& audit, DaemonOptions options,
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
      background_(base),
      info_{.proxy = proxy_,
            .reports = reports_,
            .started = std::chrono::system_clock::now(),
            .loaded = std::chrono::system_clock::now(),
            .digest = DigestOf(snapshot_->config),
            .sandboxed = options_.sandbox.has_value()},
      admin_(info_, *this),
      metrics_(info_) {}

ttrpc::Status Daemon::Start() {
  PassedSockets passed = Systemd::TakeSockets();
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
ttrpc::Status Daemon::Listen(PassedSockets* passed) {
  auto admin = admin_.Prepare(snapshot_->config);
  if (!admin) return admin.error();
  auto metrics = metrics_.Prepare(snapshot_->config);
  if (!metrics) return metrics.error();
  if (ttrpc::Status status = proxy_.Listen(passed); !status.ok()) return status;
  admin_.Commit(*std::move(admin));
  metrics_.Commit(*std::move(metrics));
  return {};
}

std::string Daemon::Describe() const {
  const Config& config = snapshot_->config;
  return fmt::format("{} listeners, {} rules, {} backends", config.listeners.size(),
                     config.rules.size(), config.backends.size());
}

ttrpc::Status Daemon::MindSignals() {
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

void Daemon::Stop() {
  if (std::exchange(info_.draining, true)) {
    spdlog::warn("told to stop again: exiting with calls in flight");
    ShutDownLog(std::chrono::steady_clock::now() + kLastLine);
    ::_exit(EXIT_FAILURE);
  }
  spdlog::info("draining");
  manager_.Stopping("draining");
  proxy_.Drain([this] { ended_(); });
}

// Reload.

class Daemon::ReadWork : public Background::Work {
 public:
  // `dropped`: the reading before, which may have sockets where this one makes them.
  ReadWork(Daemon* service, ReloadOptions what, std::optional<PreparedReload> dropped)
      : service_(service), what_(std::move(what)), dropped_(std::move(dropped)) {}
  void Do() override {
    dropped_.reset();
    reading_ = PrepareReload(what_);
  }
  void Finish() override { service_->HaveRead(std::move(reading_)); }

 private:
  Daemon* service_;
  const ReloadOptions what_;
  std::optional<PreparedReload> dropped_;
  PreparedReload reading_;
};

// Removes the sockets that are left of a reload, then reports how it ended.
class Daemon::EndWork : public Background::Work {
 public:
  EndWork(Daemon* service, ReloadOutcome outcome, std::vector<BoundSocket> gone,
          ListenerSet::NewSockets unused)
      : service_(service),
        outcome_(std::move(outcome)),
        gone_(std::move(gone)),
        unused_(std::move(unused)) {}
  void Do() override {
    gone_.clear();
    unused_ = {};
  }
  void Finish() override { service_->Ended(outcome_); }

 private:
  Daemon* service_;
  const ReloadOutcome outcome_;
  std::vector<BoundSocket> gone_;
  ListenerSet::NewSockets unused_;
};

void Daemon::Reload() {
  if (info_.draining) {
    spdlog::warn("told to reload while draining: the configuration stays as it is");
    return;
  }
  manager_.Reloading();
  reserve_.Lend();
  // What is asked for meanwhile is read after: whoever changed a file and then asked gets the
  // change.
  if (std::exchange(reloading_, true)) {
    again_ = true;
  } else {
    Read(std::nullopt);
  }
}

void Daemon::Read(std::optional<PreparedReload> dropped) {
  ReloadOptions what = {.path = options_.config_path,
                        .log_level = options_.log_level,
                        .sandbox = std::nullopt,
                        .here = proxy_.addresses(),
                        .before = snapshot_};
  if (options_.sandbox) what.sandbox = options_.sandbox->left;
  const ttrpc::Status started =
      background_.Run(std::make_unique<ReadWork>(this, std::move(what), std::move(dropped)));
  if (started.ok()) return;
  ReloadOutcome outcome;
  outcome.errors.push_back(options_.config_path + ": cannot be read: " + started.message());
  Ended(outcome);
}

void Daemon::HaveRead(PreparedReload reading) {
  if (!info_.draining && std::exchange(again_, false)) return Read(std::move(reading));
  ReloadOutcome outcome = {.errors = std::move(reading.errors),
                           .warnings = std::move(reading.warnings)};
  std::vector<BoundSocket> gone;
  if (info_.draining) {
    outcome.errors.emplace_back("draining");
  } else if (outcome.errors.empty()) {
    const ttrpc::Status status = Apply(&reading, &gone);
    if (!status.ok()) outcome.errors.push_back(status.message());
  }
  if (gone.empty() && reading.sockets.size() == 0) return Ended(outcome);
  auto work = std::make_unique<EndWork>(this, outcome, std::move(gone), std::move(reading.sockets));
  if (!background_.Run(std::move(work)).ok()) Ended(outcome);
}

void Daemon::Ended(const ReloadOutcome& outcome) {
  reloading_ = false;
  for (const std::string& error : outcome.errors) {
    if (!info_.draining) spdlog::error("{}", error);
  }
  const bool taken = outcome.errors.empty();
  if (taken) {
    ++info_.reloads;
    spdlog::info("reloaded: {}", Describe());
  } else if (!info_.draining) {
    ++info_.reloads_refused;
    spdlog::error("reload refused: the configuration stays as it is");
  }
  reserve_.TakeBack();
  if (!info_.draining)
    manager_.Ready(taken ? Describe() : Describe() + "; the last reload was refused");
  // Whoever has asked meanwhile waits for the next outcome, as do those before.
  if (!info_.draining && std::exchange(again_, false)) return Reload();
  admin_.Reloaded(outcome);
}

// All that can fail comes before anything that cannot be taken back.
ttrpc::Status Daemon::Apply(PreparedReload* reading, std::vector<BoundSocket>* gone) {
  const Config& before = snapshot_->config;
  const Config& after = reading->snapshot->config;
  auto admin = admin_.Prepare(after);
  if (!admin) return admin.error();
  auto metrics = metrics_.Prepare(after);
  if (!metrics) return metrics.error();
  auto change = proxy_.PrepareReload(after, std::move(reading->sockets));
  if (!change) return change.error();

  // Only if it is to be another one: a level that was set meanwhile stays.
  if (reading->log || before.log.level != after.log.level || before.log.format != after.log.format)
    SetUpLog(after.log, std::move(reading->log));
  const bool audit_to_log = after.audit.target == AuditConfig::Target::kLog;
  if (audit_to_log && before.audit.target != after.audit.target)
    reading->audit = MakeLogAuditTarget();
  audit_.Reconfigure(after.audit, std::move(reading->audit));
  if (before.daemon != after.daemon) spdlog::warn("[daemon] is taken at the next start only");
  *gone = proxy_.Reload(reading->snapshot, *std::move(change));
  snapshot_ = std::move(reading->snapshot);
  admin_.Commit(*std::move(admin));
  metrics_.Commit(*std::move(metrics));
  info_.loaded = std::chrono::system_clock::now();
  info_.digest = std::move(reading->digest);
  return {};
}

}  // namespace proxyd
