// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-proxyd: reads the command line and the configuration, puts the daemon together, runs it
// until it is told to stop. Says how it went by its exit status: 0 fine, 1 failed at run time, 64
// bad command line, 75 a name in the configuration does not resolve, yet, 78 bad configuration.

#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "config/load.h"
#include "observe/audit.h"
#include "observe/log.h"
#include "observe/output_thread.h"
#include "policy/snapshot.h"
#include "run/daemon.h"
#include "run/failed_starts.h"
#include "run/path_checks.h"
#include "run/signals.h"
#include "sandbox/sandbox.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {
namespace {

struct Options {
  std::string config = "/etc/ttrpc-proxy/config.toml";
  bool check = false;
  bool print_config = false;
  std::optional<LogLevel> log_level;
};

// Prints what was asked for, or what is wrong, and gives the exit status; none: go on.
std::optional<int> ParseCommandLine(int argc, char** argv, Options* options) {
  static const std::map<std::string, LogLevel> kLevels = {{"trace", LogLevel::kTrace},
                                                          {"debug", LogLevel::kDebug},
                                                          {"info", LogLevel::kInfo},
                                                          {"warn", LogLevel::kWarn},
                                                          {"error", LogLevel::kError}};
  CLI::App app("Authenticating proxy for ttrpc services", "ttrpc-proxyd");
  app.set_version_flag("--version", "ttrpc-proxyd " TTRPC_PROXY_VERSION);
  app.add_option("--config", options->config,
                 "configuration file; conf.d/*.toml beside it is read after it")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_flag("--check", options->check,
               "read the configuration, print errors and warnings, exit");
  app.add_flag("--print-config", options->print_config,
               "print the effective configuration as TOML, exit");
  std::string level;
  app.add_option("--log-level", level,
                 "trace, debug, info, warn or error; overrides the configuration")
      ->type_name("LEVEL")
      ->check(CLI::IsMember(kLevels));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : EX_USAGE;
  }
  if (!level.empty()) options->log_level = kLevels.at(level);
  return std::nullopt;
}

uint64_t MostDescriptors() {
  rlimit limit;
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : RLIM_INFINITY;
}

// Each peer and each backend connection is a descriptor.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    spdlog::warn("the limit of open descriptors could not be raised");
}

// Messages of some 64 KiB come and go with each wake-up. Left to itself the allocator hands their
// memory back to the kernel each time, and takes it again page by page: half of all the time spent.
void KeepMemoryOfMessages() {
  constexpr int kKeptAtMost = 4 << 20;
  constexpr int kMappedFrom = 1 << 20;  // larger ones are rare, and go back at once
  ::mallopt(M_TRIM_THRESHOLD, kKeptAtMost);
  ::mallopt(M_MMAP_THRESHOLD, kMappedFrom);
}

struct EventBaseDeleter {
  void operator()(event_base* base) const { event_base_free(base); }
};

void LogCounters(const WorkerCounters& c) {
  spdlog::info(
      "stopped: {} peers, {} refused; {} calls, {} denied, {} requests refused; dropped {} "
      "messages of peers, {} of "
      "backends; {} protocol errors, {} timeouts; limits: {} refusals",
      c.peers, c.peers_refused, c.calls, c.denied, c.refused, c.of(ProtocolError::kPeerMessageType),
      c.of(ProtocolError::kBackendMessage),
      c.of(ProtocolError::kPeerHeader) + c.of(ProtocolError::kBackendHeader), c.timed_out,
      std::accumulate(c.limit_refusals.begin(), c.limit_refusals.end(), uint64_t{0}));
}

// What an audit and a log that hang may add to the time that a stop takes. A log that does not hang
// is written to its end all the same.
constexpr std::chrono::milliseconds kAuditEndsWithin{700};
constexpr std::chrono::milliseconds kLogEndsWithin{100};

int Fail(const std::string& why) {
  spdlog::error("{}", why);
  return EXIT_FAILURE;
}

// What is not permitted now, such as giving a socket away or listening on a low port, or what was
// not built in, does not work at the next start either. What is in use, or lacks room, may.
int StatusOf(const ttrpc::Status& failure) {
  const bool lasts = failure.code() == ttrpc::StatusCode::kPermissionDenied ||
                     failure.code() == ttrpc::StatusCode::kUnimplemented;
  return lasts ? EX_CONFIG : EXIT_FAILURE;
}

int Fail(const ttrpc::Status& failure) {
  spdlog::error("{}", failure.message());
  return StatusOf(failure);
}

int Serve(SnapshotPtr snapshot, Audit& audit, DaemonOptions options) {
  const std::unique_ptr<event_base, EventBaseDeleter> base(event_base_new());
  if (!base) return Fail("no event loop");
  Daemon service(base.get(), std::move(snapshot), audit, std::move(options),
                 [&base] { event_base_loopbreak(base.get()); });
  // From the first socket on, a stop that came at once would leave it behind.
  HoldBack(kStopSignals);
  if (const ttrpc::Status status = service.Start(); !status.ok()) return Fail(status);
  FailedStarts(FileOfFailedStarts()).Forget();
  ::malloc_trim(
      0);  // reading the configuration and the sandbox's filter took much that is free now
  if (event_base_dispatch(base.get()) < 0) return Fail("the event loop failed");
  // From here on nothing is left to hurry: a signal that comes now must not end it with another
  // status.
  HoldBack(kRequestSignals);
  HoldBack(kStopSignals);
  LogCounters(service.counters());
  return EXIT_SUCCESS;
}

ttrpc::Status ConfineIfWanted(const Config& config, DaemonOptions* options) {
  if (!config.daemon.sandbox) return {};
  auto sandbox = Confine(config, options->config_path);
  if (!sandbox) return sandbox.error();
  options->sandbox = *std::move(sandbox);
  return {};
}

// With a log, until the daemon has stopped.
int RunLogged(Config config, DaemonOptions service) {
  if (service.sandbox) {
    for (const std::string& warning : service.sandbox->warnings) spdlog::warn("{}", warning);
  }
  RaiseDescriptorLimit();
  for (const ConfigError& warning : CheckDescriptors(config, MostDescriptors()))
    spdlog::warn("{}", warning.ToString());
  KeepMemoryOfMessages();
  auto target = MakeAuditTarget(config.audit);
  if (!target) return Fail(target.error());
  Audit audit(config.audit, *std::move(target));
  const int status = Serve(MakeSnapshot(std::move(config)), audit, std::move(service));
  audit.Stop(std::chrono::steady_clock::now() + kAuditEndsWithin);
  return status;
}

int Run(Config config, const Options& options) {
  if (options.log_level) config.log.level = *options.log_level;
  DaemonOptions service = {
      .config_path = options.config, .log_level = options.log_level, .sandbox = {}};
  // Before there is a second thread, that of the log: it would stay as it is.
  const ttrpc::Status confined = ConfineIfWanted(config, &service);
  if (const ttrpc::Status status = SetUpLog(config.log); !status.ok()) {
    // There is no log that this could be written to.
    std::fprintf(stderr, "%s\n", status.message().c_str());
    return StatusOf(status);
  }
  const int status =
      confined.ok() ? RunLogged(std::move(config), std::move(service)) : Fail(confined);
  ShutDownLog(std::chrono::steady_clock::now() + kLogEndsWithin);
  // A thread that hangs in a write must not outlive what it uses.
  if (OutputThread::stuck() != 0) ::_exit(status);
  return status;
}

void Print(const std::vector<ConfigError>& messages, const char* prefix) {
  for (const ConfigError& message : messages) {
    std::fprintf(stderr, "%s%s\n", prefix, message.ToString().c_str());
  }
}

// Prints what is wrong, the remedy last, and gives the exit status.
int ReportPaths(const Config& config, PathsFor purpose) {
  const PathErrors places = CheckPaths(config, purpose);
  Print(places.errors, "");
  if (!places.drop_in.empty()) std::fprintf(stderr, "%s\n", places.drop_in.c_str());
  return ExitStatusOf(places.errors);
}

// --check and --print-config.
int Show(const Options& options, const LoadedConfig& loaded) {
  if (!loaded.config) return ExitStatusOf(loaded.errors);
  int status = EXIT_SUCCESS;
  if (options.check) {
    Print(CheckConfig(*loaded.config, ttrpc::OverflowUid(), ttrpc::OverflowGid()), "warning: ");
    Print(CheckDescriptors(*loaded.config, MostDescriptors()), "warning: ");
    status = ReportPaths(*loaded.config, PathsFor::kCheck);
  }
  if (options.print_config) std::fputs(PrintConfig(*loaded.config).c_str(), stdout);
  return status;
}

int Start(LoadedConfig loaded, const Options& options) {
  if (!loaded.config) return ExitStatusOf(loaded.errors);
  const int places = ReportPaths(*loaded.config, PathsFor::kStart);
  return places != EX_OK ? places : Run(std::move(*loaded.config), options);
}

// A service manager starts us again after these, and a client that waits at a socket unit has it do
// so without a pause of its own.
int PauseBeforeRetry(int status) {
  if (status != EX_TEMPFAIL && status != EXIT_FAILURE) return status;
  const std::chrono::milliseconds pause = FailedStarts(FileOfFailedStarts()).Count();
  if (pause.count() == 0) return status;
  std::fprintf(stderr, "exiting in %lld ms, to be started again\n",
               static_cast<long long>(pause.count()));
  HoldBack(kStopSignals);
  return WaitUnlessStopped(pause) ? status : EXIT_SUCCESS;
}

int Main(int argc, char** argv) {
  Options options;
  if (const auto status = ParseCommandLine(argc, argv, &options)) return *status;
  const bool shows = options.check || options.print_config;
  // Who looks at a configuration wants to interrupt that as any other program.
  if (shows) {
    Release(kRequestSignals);
  } else {
    ExitOnStop();
    // A client or a log pipe that goes away is an error of that write, not the end of the daemon.
    ::signal(SIGPIPE, SIG_IGN);
  }
  LoadedConfig loaded = LoadConfig(options.config, SystemNameResolver());
  Print(loaded.errors, "");
  return shows ? Show(options, loaded) : PauseBeforeRetry(Start(std::move(loaded), options));
}

}  // namespace
}  // namespace proxyd

int main(int argc, char** argv) {
  // The first statement: logrotate's SIGUSR1 does not wait until we are ready for it.
  proxyd::HoldBack(proxyd::kRequestSignals);
  return proxyd::Main(argc, argv);
}
