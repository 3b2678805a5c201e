// SPDX-License-Identifier: Apache-2.0
#include "run/reloader.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "observe/log.h"

namespace proxyd {

class Reloader::ReadWork : public Background::Work {
 public:
  // `dropped` is what was read before. It may hold sockets where this reading makes its own.
  ReadWork(Reloader* reloader, ReloadOptions options, std::optional<PreparedReload> dropped)
      : reloader_(reloader), options_(std::move(options)), dropped_(std::move(dropped)) {}
  void Do() override {
    dropped_.reset();
    prepared_ = PrepareReload(options_);
  }
  void Finish() override { reloader_->Finish(std::move(prepared_)); }

 private:
  Reloader* reloader_;
  const ReloadOptions options_;
  std::optional<PreparedReload> dropped_;
  PreparedReload prepared_;
};

// Removes the sockets that a reload has left over before its outcome is reported.
class Reloader::CleanupWork : public Background::Work {
 public:
  CleanupWork(Reloader* reloader, ReloadOutcome outcome, std::vector<BoundSocket> gone,
              ListenerSet::NewSockets unused)
      : reloader_(reloader),
        outcome_(std::move(outcome)),
        gone_(std::move(gone)),
        unused_(std::move(unused)) {}
  void Do() override {
    gone_.clear();
    unused_ = {};
  }
  void Finish() override { reloader_->Report(outcome_); }

 private:
  Reloader* reloader_;
  const ReloadOutcome outcome_;
  std::vector<BoundSocket> gone_;
  ListenerSet::NewSockets unused_;
};

Reloader::Reloader(event_base* base, SnapshotPtr snapshot, ReloadSource source, const Parts& parts)
    : snapshot_(std::move(snapshot)),
      source_(std::move(source)),
      parts_(parts),
      background_(base) {}

void Reloader::Reload() {
  if (parts_.info.draining) {
    spdlog::warn("told to reload while draining: the configuration stays as it is");
    return;
  }
  parts_.systemd.Reloading();
  parts_.reserve.Lend();
  // A file that was changed before this request may have been read already, so it is read again.
  if (std::exchange(reloading_, true)) {
    asked_again_ = true;
  } else {
    Read(std::nullopt);
  }
}

void Reloader::Read(std::optional<PreparedReload> dropped) {
  ReloadOptions options = {.path = source_.config_path,
                           .log_level = source_.log_level,
                           .sandbox = source_.sandbox,
                           .here = parts_.proxy.addresses(),
                           .before = snapshot_};
  const ttrpc::Status started =
      background_.Run(std::make_unique<ReadWork>(this, std::move(options), std::move(dropped)));
  if (started.ok()) return;
  ReloadOutcome outcome;
  outcome.errors.push_back(source_.config_path + ": cannot be read: " + started.message());
  Report(outcome);
}

void Reloader::Finish(PreparedReload prepared) {
  const bool draining = parts_.info.draining;
  if (!draining && std::exchange(asked_again_, false)) return Read(std::move(prepared));
  ReloadOutcome outcome = {.errors = std::move(prepared.errors),
                           .warnings = std::move(prepared.warnings)};
  std::vector<BoundSocket> gone;
  if (draining) {
    outcome.errors.emplace_back("draining");
  } else if (outcome.errors.empty()) {
    const ttrpc::Status status = Apply(&prepared, &gone);
    if (!status.ok()) outcome.errors.push_back(status.message());
  }
  if (gone.empty() && prepared.sockets.size() == 0) return Report(outcome);
  auto work =
      std::make_unique<CleanupWork>(this, outcome, std::move(gone), std::move(prepared.sockets));
  if (!background_.Run(std::move(work)).ok()) Report(outcome);
}

// All that can fail comes before anything that cannot be taken back.
ttrpc::Status Reloader::Apply(PreparedReload* prepared, std::vector<BoundSocket>* gone) {
  const Config& after = prepared->snapshot->config;
  auto admin = parts_.admin.Prepare(after);
  if (!admin) return admin.error();
  auto metrics = parts_.metrics.Prepare(after);
  if (!metrics) return metrics.error();
  auto listeners = parts_.proxy.PrepareReload(after, std::move(prepared->sockets));
  if (!listeners) return listeners.error();

  ApplyOutputs(prepared);
  if (snapshot_->config.daemon != after.daemon)
    spdlog::warn("[daemon] is taken at the next start only");
  *gone = parts_.proxy.Reload(prepared->snapshot, *std::move(listeners));
  snapshot_ = std::move(prepared->snapshot);
  parts_.admin.Commit(*std::move(admin));
  parts_.metrics.Commit(*std::move(metrics));
  parts_.info.loaded = std::chrono::system_clock::now();
  parts_.info.digest = std::move(prepared->digest);
  return {};
}

void Reloader::ApplyOutputs(PreparedReload* prepared) {
  const Config& before = snapshot_->config;
  const Config& after = prepared->snapshot->config;
  // A level that the admin service has set stays, unless [log] changes.
  if (prepared->log || before.log.level != after.log.level || before.log.format != after.log.format)
    SetUpLog(after.log, std::move(prepared->log));
  const bool audit_to_log = after.audit.target == AuditConfig::Target::kLog;
  if (audit_to_log && before.audit.target != after.audit.target)
    prepared->audit = MakeLogAuditTarget();
  parts_.audit.Reconfigure(after.audit, std::move(prepared->audit));
}

void Reloader::Report(const ReloadOutcome& outcome) {
  reloading_ = false;
  DaemonInfo& info = parts_.info;
  const bool applied = outcome.errors.empty();
  const std::string summary = SummaryOf(snapshot_->config);
  if (!info.draining) {
    for (const std::string& error : outcome.errors) spdlog::error("{}", error);
  }
  if (applied || !info.draining) info.last_reload_successful = applied;
  if (applied) {
    ++info.reloads;
    spdlog::info("reloaded: {}", summary);
  } else if (!info.draining) {
    ++info.reloads_refused;
    spdlog::error("reload refused: the configuration stays as it is");
  }
  parts_.reserve.TakeBack();
  if (!info.draining)
    parts_.systemd.Ready(applied ? summary : summary + "; the last reload was refused");
  // A reload that was asked for meanwhile answers all who wait for one.
  if (!info.draining && std::exchange(asked_again_, false)) return Reload();
  parts_.admin.Reloaded(outcome);
}

}  // namespace proxyd
