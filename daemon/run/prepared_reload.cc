// SPDX-License-Identifier: Apache-2.0
#include "run/prepared_reload.h"

#include <malloc.h>

#include <system_error>
#include <thread>
#include <utility>

#include "config/differences.h"
#include "config/load.h"
#include "observe/blocked_signals.h"
#include "observe/log.h"
#include "policy/lint.h"
#include "proxy/daemon_info.h"
#include "run/front_directories.h"
#include "run/path_checks.h"
#include "run/places.h"
#include "sandbox/reach.h"
#include "sandbox/sandbox.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

namespace {

void Destroy(const Snapshot* snapshot) {
  delete snapshot;
  // Parsing the next snapshot took several times its size, which the allocator would keep.
  ::malloc_trim(0);
}

// Destroying a large policy takes milliseconds, and its last owner may be a call on the loop.
void DestroyElsewhere(const Snapshot* snapshot) {
  const BlockedSignals blocked;
  try {
    std::thread(Destroy, snapshot).detach();
  } catch (const std::system_error&) {
    delete snapshot;
  }
}

// Opens new files here, outside the loop, since their disk may hang.
ttrpc::Status OpenTargets(const Config& before, PreparedReload* prepared) {
  const Config& after = prepared->snapshot->config;
  const bool audit_stays =
      before.audit.target == after.audit.target && before.audit.path == after.audit.path;
  if (!audit_stays && after.audit.target == AuditConfig::Target::kFile) {
    auto made = MakeFileAuditTarget(after.audit.path);
    if (!made) return made.error();
    prepared->audit = *std::move(made);
  }
  if (before.log.target != after.log.target || before.log.path != after.log.path) {
    auto made = PrepareLog(after.log);
    if (!made) return made.error();
    prepared->log = *std::move(made);
  }
  return {};
}

ttrpc::Status MakeSockets(const std::vector<ListenerSet::Here>& here,
                          const std::vector<SocketConfig>& after,
                          ListenerSet::NewSockets* sockets) {
  PassedSockets none;
  auto made = ListenerSet::Make(here, after, &none);
  if (!made) return made.error();
  *sockets = *std::move(made);
  return {};
}

// Does everything that can fail, and returns the first error.
ttrpc::Status Prepare(const ReloadOptions& options, PreparedReload* prepared) {
  const Config& config = prepared->snapshot->config;
  if (options.sandbox) {
    SandboxPlan needed = PlanSandbox(config);
    // A missing backend is no reason to refuse the reload: its socket may be accessible later.
    if (!options.sandbox->foreign_files)
      needed.foreign_files |= !Reaches(config, options.path, Missing::kIsReached);
    ttrpc::Status status = CheckCoversOrAdvise(StillLeft(*options.sandbox), needed);
    if (!status.ok()) return status;
  }
  if (ttrpc::Status status = OpenTargets(options.before->config, prepared); !status.ok())
    return status;
  if (ttrpc::Status made = MakeFrontDirectories(config); !made.ok()) return made;
  const SocketsHere& here = options.here;
  ttrpc::Status status = MakeSockets(here.admin, SocketsOf(config.admin), &prepared->admin_sockets);
  if (status.ok())
    status = MakeSockets(here.metrics, SocketsOf(config.metrics), &prepared->metrics_sockets);
  if (status.ok())
    status = MakeSockets(here.listeners, SocketsOf(config.listeners), &prepared->sockets);
  return status;
}

}  // namespace

SnapshotPtr MakeSnapshot(Config config) {
  const OverflowIds overflow = {.uid = ttrpc::OverflowUid(), .gid = ttrpc::OverflowGid()};
  return {new Snapshot(std::move(config), overflow), DestroyElsewhere};
}

PreparedReload PrepareReload(const ReloadOptions& options) {
  PreparedReload prepared;
  if (options.sandbox) {
    if (const ttrpc::Status left = CheckConfigLeft(options.path); !left.ok()) {
      prepared.errors.push_back(left.message());
      return prepared;
    }
  }
  LoadedConfig loaded = LoadConfig(options.path, SystemNameResolver());
  for (const ConfigError& error : loaded.errors) prepared.errors.push_back(error.ToString());
  if (!loaded.config) return prepared;
  if (options.log_level) loaded.config->log.level = *options.log_level;
  prepared.snapshot = MakeSnapshot(*std::move(loaded.config));
  const Config& config = prepared.snapshot->config;
  for (const ConfigError& warning : Lint(config, prepared.snapshot->policy.overflow()))
    prepared.warnings.push_back(warning.ToString());
  for (const ConfigError& warning : LintPlaces(config))
    prepared.warnings.push_back(warning.ToString());
  prepared.digest = DigestOf(config);
  for (const ConfigError& error : CheckPlaces(config)) prepared.errors.push_back(error.ToString());
  if (!prepared.errors.empty()) return prepared;
  prepared.differences = Differences(options.before->config, config);
  if (const ttrpc::Status status = Prepare(options, &prepared); !status.ok())
    prepared.errors.push_back(status.message());
  return prepared;
}

}  // namespace proxyd
