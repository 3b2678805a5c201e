// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-proxyd: parses the command line, loads the configuration, wires the daemon and runs it
// until it is told to stop. The exit status is 0 for success, 1 for a failure at run time, 64 for a
// bad command line, 75 for a name that does not resolve yet, 78 for a bad configuration.

#include <event2/event.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "config/load.h"
#include "config/words.h"
#include "observe/audit.h"
#include "observe/log.h"
#include "observe/output_thread.h"
#include "observe/user_names.h"
#include "policy/snapshot.h"
#include "run/config_report.h"
#include "run/daemon.h"
#include "run/exit_status.h"
#include "run/failed_starts.h"
#include "run/prepared_reload.h"
#include "run/process_resources.h"
#include "run/runtime_folder.h"
#include "run/signals.h"
#include "sandbox/sandbox.h"

namespace proxyd {
namespace {

struct Options {
  std::string config = "/etc/ttrpc-proxy/config.toml";
  bool check = false;
  bool print_config = false;
  std::optional<LogLevel> log_level;
};

// What another program reads is written as a whole, or the exit status says that it is not.
int PrintAll(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return EXIT_SUCCESS;
  std::fprintf(stderr, "ttrpc-proxyd: standard output: %s\n",
               std::generic_category().message(errno).c_str());
  return EXIT_FAILURE;
}

// Returns the exit status once --help, --version or an error was printed; none: go on.
std::optional<int> ParseCommandLine(int argc, char** argv, Options* options) {
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
  const std::vector<std::string> levels = ListOf(kLogLevelWords);
  app.add_option("--log-level", level, Enumerate(levels) + "; overrides the configuration")
      ->type_name("LEVEL")
      ->check(CLI::IsMember(std::set<std::string>(levels.begin(), levels.end())));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    return app.exit(error, text) == 0 ? PrintAll(text.str()) : EX_USAGE;
  }
  if (!level.empty()) options->log_level = FindWord(kLogLevelWords, level);
  return std::nullopt;
}

// How much longer a stop may take because writes to the audit or the log hang. A log that does not
// hang is written to its end all the same.
constexpr std::chrono::milliseconds kAuditEndsWithin{700};
constexpr std::chrono::milliseconds kLogEndsWithin{100};

struct EventBaseDeleter {
  void operator()(event_base* base) const { event_base_free(base); }
};

int Fail(const ttrpc::Status& failure) {
  spdlog::error("{}", failure.message());
  return ExitStatusOf(failure);
}

int Fail(const char* why) { return Fail(ttrpc::Status(ttrpc::StatusCode::kInternal, why)); }

// libevent has messages of its own, which would go to standard error in another format.
void LogMessagesOfLibevent() {
  event_set_log_callback([](int severity, const char* message) {
    spdlog::log(severity >= EVENT_LOG_ERR    ? spdlog::level::err
                : severity >= EVENT_LOG_WARN ? spdlog::level::warn
                                             : spdlog::level::debug,
                "{}", message);
  });
  // It ends the process itself after an error that it cannot go on with.
  event_set_fatal_callback([](int) {
    ShutDownLog(std::chrono::steady_clock::now() + kLogEndsWithin);
    ::_exit(EXIT_FAILURE);
  });
}

// Until the daemon has drained.
int Serve(SnapshotPtr snapshot, Audit& audit, const DaemonOptions& options) {
  LogMessagesOfLibevent();
  const std::unique_ptr<event_base, EventBaseDeleter> base(event_base_new());
  if (!base) return Fail("no event loop");
  Daemon daemon(base.get(), std::move(snapshot), audit, options,
                [&base] { event_base_loopbreak(base.get()); });
  // A daemon that was killed has left its last one.
  RemoveVerdict(InRuntimeFolder(kReloadVerdictFile));
  // A stop that ended the process at once would leave sockets behind.
  HoldBack(kStopSignals);
  if (const ttrpc::Status status = daemon.Start(); !status.ok()) return Fail(status);
  FailedStarts(FileOfFailedStarts()).Forget();
  // Loading the configuration and making the sandbox's filter took memory that is free now.
  ReturnUnusedMemory();
  if (event_base_dispatch(base.get()) < 0) return Fail("the event loop failed");
  // The daemon ends anyway: a signal that comes now must not change its exit status.
  HoldBack(kRequestSignals);
  HoldBack(kStopSignals);
  RemoveVerdict(InRuntimeFolder(kReloadVerdictFile));
  daemon.LogCounters();
  return EXIT_SUCCESS;
}

ttrpc::Status ConfineIfWanted(const Config& config, DaemonOptions* options) {
  if (!config.daemon.sandbox) return {};
  auto sandbox = Confine(config, options->config_path);
  if (!sandbox) return sandbox.error();
  options->sandbox = *std::move(sandbox);
  return {};
}

// The log is set up. Runs the daemon with an audit until both have ended.
int RunLogged(Config config, const DaemonOptions& options) {
  if (options.sandbox) {
    for (const std::string& warning : options.sandbox->warnings) spdlog::warn("{}", warning);
  }
  RaiseDescriptorLimit();
  for (const ConfigError& warning : CheckDescriptors(config, MostDescriptors()))
    spdlog::warn("{}", warning.ToString());
  KeepMemoryOfMessages();
  auto target = MakeAuditTarget(config.audit);
  if (!target) return Fail(target.error());
  UserNames names;
  Audit audit(config.audit, *std::move(target), SystemAuditClock(), &names);
  const int status = Serve(MakeSnapshot(std::move(config)), audit, options);
  audit.Stop(std::chrono::steady_clock::now() + kAuditEndsWithin);
  return status;
}

int Run(Config config, const Options& options) {
  if (options.log_level) config.log.level = *options.log_level;
  DaemonOptions daemon_options = {
      .config_path = options.config, .log_level = options.log_level, .sandbox = {}};
  // The log has a thread, and a sandbox does not confine threads that are there before it.
  const ttrpc::Status confined = ConfineIfWanted(config, &daemon_options);
  if (const ttrpc::Status status = SetUpLog(config.log); !status.ok()) {
    LogWithoutTarget(config.log.format, status.message());
    return ExitStatusOf(status);
  }
  const int status = confined.ok() ? RunLogged(std::move(config), daemon_options) : Fail(confined);
  ShutDownLog(std::chrono::steady_clock::now() + kLogEndsWithin);
  // A thread that hangs in a write, or in the user database, must not outlive what it uses.
  if (OutputThread::stuck() != 0 || UserNames::stuck() != 0) ::_exit(status);
  return status;
}

// --check and --print-config.
int Show(const Config& config, const Options& options) {
  const int status = options.check ? ReportChecks(config) : EXIT_SUCCESS;
  if (!options.print_config) return status;
  const int printed = PrintAll(PrintConfig(config));
  return status != EXIT_SUCCESS ? status : printed;
}

int Start(Config config, const Options& options) {
  const int paths = ReportPaths(config, PathsFor::kStart);
  return paths != EX_OK ? paths : Run(std::move(config), options);
}

void SetUpSignals(bool serves) {
  // Interrupting --check or --print-config is no different from interrupting any other program.
  if (!serves) return Release(kRequestSignals);
  ExitOnStop();
  // A client or a log pipe that goes away is an error of that write, not the end of the daemon.
  ::signal(SIGPIPE, SIG_IGN);
}

int Main(int argc, char** argv) {
  Options options;
  if (const auto status = ParseCommandLine(argc, argv, &options)) return *status;
  const bool shows = options.check || options.print_config;
  SetUpSignals(!shows);
  LoadedConfig loaded = LoadConfig(options.config, SystemNameResolver());
  ReportErrors(loaded.errors);
  if (shows) return loaded.config ? Show(*loaded.config, options) : ExitStatusOf(loaded.errors);
  return PauseBeforeRetry(loaded.config ? Start(*std::move(loaded.config), options)
                                        : ExitStatusOf(loaded.errors));
}

}  // namespace
}  // namespace proxyd

int main(int argc, char** argv) {
  // The first statement: logrotate's SIGUSR1 does not wait until we are ready for it.
  proxyd::HoldBack(proxyd::kRequestSignals);
  return proxyd::Main(argc, argv);
}
