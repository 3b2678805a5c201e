// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-proxyd: parses the command line, loads the configuration, and runs the daemon until it has
// drained. The exit status is 0 for success, 1 for a failure at run time, 64 for a bad command
// line, 74 if standard output cannot be written, 75 for a name that does not resolve yet, and 78
// for a bad configuration.

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
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "config/load.h"
#include "config/words.h"
#include "discovery/follower.h"
#include "observe/audit.h"
#include "observe/log.h"
#include "observe/output_thread.h"
#include "observe/user_names.h"
#include "policy/snapshot.h"
#include "run/config_report.h"
#include "run/daemon.h"
#include "run/exit_status.h"
#include "run/failed_starts.h"
#include "run/front_directories.h"
#include "run/prepared_reload.h"
#include "run/process_resources.h"
#include "run/runtime_folder.h"
#include "run/signals.h"
#include "sandbox/sandbox.h"
#include "text/closest.h"
#include "text/escape.h"

namespace proxyd {
namespace {

struct Options {
  std::string config = "/etc/ttrpc-proxy/config.toml";
  bool check = false;
  bool print_config = false;
  std::optional<LogLevel> log_level;
};

// Another program may read the output, so an incomplete write is a failure of this one.
int PrintAll(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return EXIT_SUCCESS;
  std::fprintf(stderr, "ttrpc-proxyd: standard output: %s\n",
               std::generic_category().message(errno).c_str());
  return EX_IOERR;
}

int RefuseCommandLine(const std::string& why) {
  std::fprintf(stderr, "ttrpc-proxyd: %s\n", why.c_str());
  return EX_USAGE;
}

// Prints the help or the version, or why the command line is refused. Returns the exit status.
int Report(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) {
    std::ostringstream shown;
    static_cast<void>(app.exit(error, shown));
    return PrintAll(shown.str());
  }
  const std::string advice = "see \"ttrpc-proxyd --help\"";
  const std::vector<std::string> rest = app.remaining();
  if (rest.empty()) return RefuseCommandLine(std::string(error.what()) + "; " + advice);
  const std::string name = rest.front().substr(0, rest.front().find('='));
  if (!name.starts_with('-')) {
    return RefuseCommandLine("unexpected argument " + text::QuoteShort(rest.front()) + "; " +
                             advice);
  }
  std::vector<std::string> options;
  for (const CLI::Option* option : app.get_options()) options.push_back(option->get_name());
  return RefuseCommandLine("unknown option " + text::QuoteShort(name) + "; " +
                           text::DidYouMean(name, options, advice));
}

// Returns the exit status after printing --help, --version or an error, else nothing.
std::optional<int> ParseCommandLine(int argc, char** argv, Options* options) {
  CLI::App app("Authenticating proxy for ttrpc services", "ttrpc-proxyd");
  app.set_version_flag("--version", "ttrpc-proxyd " TTRPC_PROXY_VERSION);
  app.add_option("--config", options->config,
                 "configuration file; conf.d/*.toml beside it are read after it")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_flag("--check", options->check,
               "read the configuration, print errors and warnings, and exit");
  app.add_flag("--print-config", options->print_config,
               "print the effective configuration as TOML, and exit");
  std::optional<std::string> level;
  const std::vector<std::string> levels = ListOf(kLogLevelWords);
  app.add_option("--log-level", level, Enumerate(levels) + "; overrides the configuration")
      ->type_name("LEVEL");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Report(app, error);
  }
  if (!level) return std::nullopt;
  options->log_level = FindWord(kLogLevelWords, *level);
  if (options->log_level) return std::nullopt;
  return RefuseCommandLine("--log-level is " + text::QuoteShort(*level) + "; " +
                           text::DidYouMean(*level, levels, "use " + Enumerate(levels)));
}

// How much longer a stop may take while writes to the audit or the log hang. A log that does not
// hang is always written to its end.
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

// libevent would write its own messages to standard error, in another format.
void LogMessagesOfLibevent() {
  event_set_log_callback([](int severity, const char* message) {
    spdlog::log(severity >= EVENT_LOG_ERR    ? spdlog::level::err
                : severity >= EVENT_LOG_WARN ? spdlog::level::warn
                                             : spdlog::level::debug,
                "{}", message);
  });
  // libevent calls this after an error that it cannot continue from, and expects no return.
  event_set_fatal_callback([](int) {
    ShutDownLog(std::chrono::steady_clock::now() + kLogEndsWithin);
    ::_exit(EXIT_FAILURE);
  });
}

// Runs the daemon until it has drained. Returns the exit status.
int Serve(SnapshotPtr snapshot, Audit& audit, const DaemonOptions& options) {
  LogMessagesOfLibevent();
  const std::unique_ptr<event_base, EventBaseDeleter> base(event_base_new());
  if (!base) return Fail("cannot make an event loop");
  Daemon daemon(base.get(), std::move(snapshot), audit, options,
                [&base] { event_base_loopbreak(base.get()); });
  // A daemon that was killed did not remove its last verdict.
  RemoveVerdict(InRuntimeFolder(kReloadVerdictFile));
  // Start() makes sockets, and a stop that ended the process at once would leave them behind.
  HoldBack(kStopSignals);
  if (const ttrpc::Status status = daemon.Start(); !status.ok()) return Fail(status);
  FailedStarts(FileOfFailedStarts()).Forget();
  // The memory that the configuration's text and the sandbox's filter took is free now.
  ReturnUnusedMemory();
  if (event_base_dispatch(base.get()) < 0) return Fail("the event loop failed");
  // The daemon is about to exit, and a signal must not change its exit status.
  HoldBack(kRequestSignals);
  HoldBack(kStopSignals);
  RemoveVerdict(InRuntimeFolder(kReloadVerdictFile));
  daemon.LogCounters();
  return EXIT_SUCCESS;
}

// A confined daemon can only use directories that exist already.
ttrpc::Status MakeDirectoriesAndConfine(const Config& config, DaemonOptions* options) {
  if (ttrpc::Status status = MakeFrontDirectories(config); !status.ok()) return status;
  if (!config.daemon.sandbox) return {};
  auto sandbox = Confine(config, options->config_path);
  if (!sandbox) return sandbox.error();
  options->sandbox = *std::move(sandbox);
  return {};
}

// Runs the daemon with an audit until both have ended. The log must have been set up.
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
  // Confine before SetUpLog(), which starts a thread: a sandbox does not confine older threads.
  const ttrpc::Status confined = MakeDirectoriesAndConfine(config, &daemon_options);
  if (const ttrpc::Status status = SetUpLog(config.log); !status.ok()) {
    LogWithoutTarget(config.log.format, status.message());
    return ExitStatusOf(status);
  }
  const int status = confined.ok() ? RunLogged(std::move(config), daemon_options) : Fail(confined);
  ShutDownLog(std::chrono::steady_clock::now() + kLogEndsWithin);
  // A thread that hangs in a write, in the user database or in a file system would use what exit(3)
  // destroys.
  if (OutputThread::stuck() != 0 || UserNames::stuck() != 0 || Follower::stuck() != 0)
    ::_exit(status);
  return status;
}

// Does what --check and --print-config ask for. Returns the exit status.
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
  // A client or a log pipe that closes makes a write fail, and must not end the daemon.
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
  // This is the first statement: logrotate's SIGUSR1 may arrive before the daemon is ready.
  proxyd::HoldBack(proxyd::kRequestSignals);
  return proxyd::Main(argc, argv);
}
