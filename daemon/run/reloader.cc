// SPDX-License-Identifier: Apache-2.0
#include "run/reloader.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "observe/log.h"
#include "run/runtime_folder.h"

namespace proxyd {

class Reloader::ReadWork : public Background::Work {
 public:
  // `dropped` is the previous reading. It is destroyed first, since it may hold sockets at the
  // paths where this reading makes its own.
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

// Removes the sockets that a reload no longer needs, and writes its verdict. The outcome is
// reported afterwards.
class Reloader::EndWork : public Background::Work {
 public:
  EndWork(Reloader* reloader, Ending ending)
      : reloader_(reloader),
        verdict_file_(reloader->source_.verdict_file),
        ending_(std::move(ending)) {}
  void Do() override {
    ending_.gone.clear();
    ending_.unused = {};
    WriteVerdict(verdict_file_, ending_.verdict);
  }
  void Finish() override { reloader_->Report(ending_.outcome); }

 private:
  Reloader* reloader_;
  const std::string verdict_file_;
  Ending ending_;
};

Reloader::Reloader(event_base* base, SnapshotPtr snapshot, ReloadSource source, const Parts& parts)
    : snapshot_(std::move(snapshot)),
      source_(std::move(source)),
      parts_(parts),
      background_(base) {}

void Reloader::Reload() {
  if (parts_.info.draining) {
    spdlog::warn("reload refused while draining: the configuration is unchanged");
    return RefuseWhileDraining();
  }
  parts_.systemd.Reloading();
  parts_.reserve.Lend();
  // The reload that runs may have read a file before its latest change, so it reads all files
  // again.
  if (std::exchange(reloading_, true)) {
    asked_again_ = true;
  } else {
    Read(std::nullopt);
  }
}

void Reloader::RefuseWhileDraining() {
  if (background_.busy()) {
    asked_again_ = true;
    return;
  }
  if (!source_.verdict_file.empty()) End({.outcome = {.errors = {"draining"}, .warnings = {}}});
}

void Reloader::Read(std::optional<PreparedReload> dropped) {
  read_ = std::chrono::steady_clock::now();
  ReloadOptions options = {.path = source_.config_path,
                           .log_level = source_.log_level,
                           .sandbox = source_.sandbox,
                           .here = {.listeners = parts_.proxy.here(),
                                    .admin = parts_.admin.here(),
                                    .metrics = parts_.metrics.here()},
                           .before = snapshot_};
  const ttrpc::Status started =
      background_.Run(std::make_unique<ReadWork>(this, std::move(options), std::move(dropped)));
  if (started.ok()) return;
  ReloadOutcome outcome;
  outcome.errors.push_back(source_.config_path + ": error: cannot be read: " + started.message() +
                           "; reload again");
  Report(outcome);
}

void Reloader::Finish(PreparedReload prepared) {
  const bool draining = parts_.info.draining;
  if (!draining && std::exchange(asked_again_, false)) return Read(std::move(prepared));
  Ending ending = {
      .outcome = {.errors = std::move(prepared.errors), .warnings = std::move(prepared.warnings)}};
  std::vector<std::string>& errors = ending.outcome.errors;
  if (draining) {
    errors.emplace_back("draining");
  } else if (errors.empty()) {
    const ttrpc::Status status = Apply(&prepared, &ending.gone);
    if (!status.ok()) errors.push_back(status.message());
  }
  ending.unused = std::move(prepared);
  End(std::move(ending));
}

void Reloader::End(Ending ending) {
  const ReloadOutcome outcome = ending.outcome;
  if (ending.gone.empty() && !ending.unused.has_sockets() && source_.verdict_file.empty())
    return Report(outcome);
  ending.verdict = {.time = std::chrono::system_clock::now(),
                    // A refusal for draining answers every request up to now.
                    .read = parts_.info.draining ? std::chrono::steady_clock::now() : read_,
                    .digest = parts_.info.digest,
                    .errors = outcome.errors,
                    .warnings = outcome.warnings};
  if (!background_.Run(std::make_unique<EndWork>(this, std::move(ending))).ok()) Report(outcome);
}

// Does everything that can fail before the first step that cannot be undone.
ttrpc::Status Reloader::Apply(PreparedReload* prepared, std::vector<BoundSocket>* gone) {
  const Config& after = prepared->snapshot->config;
  auto admin = parts_.admin.Prepare(after, std::move(prepared->admin_sockets));
  if (!admin) return admin.error();
  auto metrics = parts_.metrics.Prepare(after, std::move(prepared->metrics_sockets));
  if (!metrics) return metrics.error();
  auto listeners = parts_.proxy.PrepareReload(after, std::move(prepared->sockets));
  if (!listeners) return listeners.error();

  ApplyOutputs(prepared);
  if (snapshot_->config.daemon != after.daemon)
    spdlog::warn("changes in [daemon] take effect at the next start");
  *gone = parts_.proxy.Reload(prepared->snapshot, *std::move(listeners));
  snapshot_ = std::move(prepared->snapshot);
  for (BoundSocket& socket : parts_.admin.Commit(*std::move(admin)))
    gone->push_back(std::move(socket));
  for (BoundSocket& socket : parts_.metrics.Commit(*std::move(metrics)))
    gone->push_back(std::move(socket));
  parts_.info.loaded = std::chrono::system_clock::now();
  parts_.info.digest = std::move(prepared->digest);
  differences_ = std::move(prepared->differences);
  return {};
}

void Reloader::ApplyOutputs(PreparedReload* prepared) {
  const Config& before = snapshot_->config;
  const Config& after = prepared->snapshot->config;
  // Keep a level that the admin service has set, unless [log] changes.
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
    spdlog::info("reloaded: {}; {}", summary, differences_);
  } else if (!info.draining) {
    ++info.reloads_refused;
    spdlog::error("reload refused: the configuration is unchanged");
  }
  parts_.reserve.TakeBack();
  if (!info.draining)
    parts_.systemd.Ready(applied ? summary : summary + "; the last reload was refused");
  // If another request came meanwhile, the next reload answers every caller that waits.
  const bool asked_again = std::exchange(asked_again_, false);
  if (asked_again && !info.draining) return Reload();
  parts_.admin.Reloaded(outcome);
  if (asked_again) RefuseWhileDraining();
}

}  // namespace proxyd
