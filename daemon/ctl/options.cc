// SPDX-License-Identifier: Apache-2.0
#include "ctl/options.h"

#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <sstream>
#include <string_view>
#include <utility>

#include "config/rpc_names.h"
#include "config/words.h"
#include "ctl/output.h"
#include "text/closest.h"
#include "text/escape.h"
#include "text/numbers.h"
#include "tool/invalid.h"

namespace proxyd::ctl {

using ttrpc::tool::Invalid;
namespace {

using ttrpc::Status;

constexpr char kExitStatus[] =
    "Exit status: 0 fine; 1 the daemon said no, or cannot be reached; 2 not what --expect names;\n"
    "64 bad command line; 65 no listener, rule or backend of that name (tap); 75 a name in the\n"
    "configuration (--config) does not resolve, yet; 78 bad configuration.";

constexpr std::array<std::string_view, 6> kEvents = {"connect", "refuse",     "call",
                                                     "deny",    "disconnect", "message"};
constexpr std::chrono::seconds kSignalledReload{30};
constexpr uint32_t kMostPayload = 64 << 10;  // of one message, in a tap

// What CLI11 fills in before it is looked at.
struct Words {
  std::string address = "unix:///run/ttrpc-proxy/admin.sock";
  std::optional<std::string> timeout;
  std::optional<std::string> watch;
  std::optional<std::string> group;
  std::vector<std::string> groups;
  std::vector<std::string> metadata;
  std::optional<std::string> payload;
  std::optional<std::string> tap;
  std::optional<std::string> expect;
};

// Each option takes one value, and may be given again.
void AddList(CLI::App* app, const std::string& name, std::vector<std::string>* values,
             const std::string& type, const std::string& help) {
  app->add_option(name, *values, help + "; repeatable")->allow_extra_args(false)->type_name(type);
}

// Its value may be left out.
CLI::Option* AddOptional(CLI::App* app, const std::string& name, std::optional<std::string>* value,
                         const std::string& type, const std::string& help) {
  return app
      ->add_option_function<std::string>(
          name, [value](const std::string& given) { *value = given; }, help)
      ->expected(0, 1)
      ->type_name("[" + type + "]");
}

// From 1. CLI11 alone takes -1 for a large number.
CLI::Validator Number(uint64_t largest) {
  const auto check = [largest](const std::string& text) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_number = error == std::errc() && end == text.data() + text.size();
    if (is_number && number > 0 && number <= largest) return std::string();
    return "expected a number from 1 to " + std::to_string(largest);
  };
  return {check, ""};
}

// The commands that look, and may look again.
CLI::App* AddLook(CLI::App* app, const std::string& name, const std::string& help, Words* words) {
  CLI::App* look = app->add_subcommand(name, help);
  AddOptional(look, "--watch", &words->watch, "SECONDS",
              "look again and again, every 2 seconds if not given");
  return look;
}

void AddLooks(CLI::App* app, Options* options, Words* words) {
  AddLook(app, "status", "Show how the daemon is.", words);
  CLI::App* peers = AddLook(app, "peers", "List the connected peers.", words);
  CLI::App* calls = AddLook(app, "calls", "List the calls in flight.", words);
  for (CLI::App* list : {peers, calls}) {
    list->add_option("--limit", options->limit, "show at most so many, the oldest (default: 1000)")
        ->type_name("N")
        ->check(Number(UINT32_MAX));
  }
  AddLook(app, "rules", "List the rules, and how often each has decided.", words);
  AddLook(app, "users", "List the connected users.", words);
  AddLook(app, "backends", "List the backends.", words);
  app->add_subcommand("metrics", "Print the metrics as Prometheus reads them.");
}

void AddActions(CLI::App* app, Options* options) {
  app->add_subcommand("reload", "Let the daemon read its configuration again.")
      ->add_option("--pid", options->reload_pid,
                   "this process, by a signal where it has no admin service")
      ->type_name("PID")
      ->check(Number(INT32_MAX));
  app->add_subcommand("drain", "Let the daemon end after the calls in flight.");
  const std::vector<std::string> levels = ListOf(kLogLevelWords);
  app->add_subcommand("log-level", "Change how much the daemon logs, until the next reload.")
      ->add_option("LEVEL", options->log_level, Enumerate(levels))
      ->required()
      ->check(CLI::IsMember(levels));
  CLI::App* close = app->add_subcommand("close", "Close peers at once, with their calls.");
  CLI::Option* peers = close->add_option("PEER", options->peers, "its number, as `peers` shows it")
                           ->check(Number(UINT64_MAX));
  close
      ->add_option("--listener", options->close_listener,
                   "all peers of this listener, also if a reload has removed it")
      ->type_name("NAME")
      ->excludes(peers);
  close->callback([options] {
    if (options->peers.empty() && options->close_listener.empty())
      throw CLI::RequiredError("PEER or --listener");
  });
}

void AddExplain(CLI::App* app, ExplainOptions* options, Words* words) {
  CLI::App* explain = app->add_subcommand("explain", "Say which rule decides a call, and why.");
  explain
      ->add_option("--listener", options->listener,
                   "where the call comes in; not needed if there is only one listener")
      ->type_name("NAME");
  explain->add_option("--user", options->who.user, "who calls: a name or a number")
      ->type_name("USER")
      ->required();
  explain->add_option("--group", words->group, "the effective group (default: the user's)")
      ->type_name("GROUP");
  explain
      ->add_option("--groups", words->groups,
                   "supplementary groups, with commas between them (default: the user's)")
      ->type_name("GROUP,...")
      ->allow_extra_args(false)
      ->delimiter(',');
  explain->add_option("--method", options->method, "what is called: SERVICE/METHOD")
      ->type_name("METHOD")
      ->required();
  AddList(explain, "--metadata", &words->metadata, "KEY=VALUE", "the call's metadata");
  explain
      ->add_option("--config", options->config,
                   "ask this configuration file, and no daemon; conf.d/*.toml beside it count")
      ->type_name("FILE");
  explain
      ->add_option("--expect", words->expect,
                   "allow or deny: exit with 2 if the decision is the other one")
      ->type_name("ACTION")
      ->check(CLI::IsMember(ListOf(kActionWords)));
}

void AddTap(CLI::App* app, TapOptions* options, Words* words) {
  CLI::App* tap = app->add_subcommand("tap", "Show what is decided and called, as it happens.");
  AddList(tap, "--user", &options->users, "USER", "only of this user");
  AddList(tap, "--listener", &options->listeners, "NAME", "only on this listener");
  AddList(tap, "--rule", &options->rules, "NAME", "only what this rule decides");
  AddList(tap, "--backend", &options->backends, "NAME", "only what goes to this backend");
  tap->add_option("--method", options->method, "only methods of this pattern, as in a rule")
      ->type_name("PATTERN");
  AddList(tap, "--outcome", &options->outcomes, "CODE",
          "only what ends with this status: OK, PERMISSION_DENIED, …");
  AddList(tap, "--event", &options->events, "EVENT",
          "only connect, refuse, call, deny, disconnect or message");
  AddOptional(tap, "--payload", &words->payload, "SIZE",
              "messages, too, at most so many bytes of each (default: 64KiB)");
  AddList(tap, "--descriptor-set", &options->descriptor_sets, "FILE",
          "show messages as JSON by this descriptor set, as protoc -o writes it");
  tap->add_option("--count", options->count, "end after so many events")
      ->type_name("N")
      ->check(Number(UINT64_MAX));
}

void AddLearn(CLI::App* app, LearnOptions* options, Words* words) {
  CLI::App* learn =
      app->add_subcommand("learn", "Print rules that allow what was seen, as TOML to review.");
  CLI::Option* audit =
      learn->add_option("--audit", options->audit, "read this audit file; - for standard input")
          ->type_name("FILE");
  AddOptional(learn, "--tap", &words->tap, "SECONDS",
              "look at what the daemon does, so long or until interrupted")
      ->excludes(audit);
  CLI::Option* denied =
      learn->add_flag("--include-denied", options->include_denied, "allow, too, what was denied");
  CLI::Option* backend = learn
                             ->add_option("--backend", options->backend,
                                          "where what was denied is to go, with --include-denied")
                             ->type_name("NAME")
                             ->needs(denied);
  denied->needs(backend);
  learn
      ->add_option("--config", options->config,
                   "leave out what this configuration has no listener or backend for")
      ->type_name("FILE");
}

void AddNames(CLI::App* app, std::string* names) {
  const std::vector<std::string> kinds = {"listeners", "rules", "backends"};
  app->add_subcommand("names", "Print the names of listeners, rules or backends, one on a line.")
      ->add_option("KIND", *names, Enumerate(kinds))
      ->required()
      ->check(CLI::IsMember(kinds));
}

Status In(const std::string& where, const Status& what) {
  return Invalid(where + ": " + what.message());
}

// Of seconds, or with a unit.
ttrpc::Result<std::chrono::nanoseconds> ParseSeconds(const std::string& text) {
  const bool bare = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
  return text::ParseDuration(bare ? text + "s" : text);
}

Status ReadQuantities(const Words& words, Options* options) {
  if (words.timeout) {
    const auto timeout = ParseSeconds(*words.timeout);
    if (!timeout) return In("--timeout", timeout.error());
    options->timeout = *timeout;
  }
  // A reload by a signal is not answered before it has ended.
  if (!words.timeout && options->reload_pid) options->timeout = kSignalledReload;
  if (words.watch) {
    const auto interval = ParseSeconds(words.watch->empty() ? "2" : *words.watch);
    if (!interval) return In("--watch", interval.error());
    options->watch = *interval;
  }
  if (words.tap && !words.tap->empty()) {
    const auto time = ParseSeconds(*words.tap);
    if (!time) return In("--tap", time.error());
    options->learn.tap_for = *time;
  }
  if (words.payload && !words.payload->empty()) {
    const auto size = text::ParseSize(*words.payload, kMostPayload);
    if (!size) return In("--payload", size.error());
    options->tap.payload_bytes = *size;
  } else if (words.payload || !options->tap.descriptor_sets.empty()) {
    options->tap.payload_bytes = kMostPayload;
  }
  return {};
}

// A method, or a pattern, may be given without its first slash.
void AddSlash(std::string* method) {
  if (!method->empty() && !method->starts_with('/')) method->insert(0, 1, '/');
}

Status ReadExplain(const Words& words, ExplainOptions* options) {
  options->who.group = words.group;
  if (!words.groups.empty()) options->who.groups = words.groups;
  if (words.expect)
    options->expect = FindWord(kActionWords, *words.expect) == RuleConfig::Action::kAllow;
  AddSlash(&options->method);
  if (const auto method = ParseMethodName(options->method); !method) {
    return In("--method", method.error());
  }
  for (const std::string& word : words.metadata) {
    const size_t end = word.find('=');
    if (end == std::string::npos || end == 0) return Invalid("--metadata: expected KEY=VALUE");
    if (!options->metadata.emplace(word.substr(0, end), word.substr(end + 1)).second) {
      return Invalid("--metadata: " + word.substr(0, end) + " is given twice");
    }
  }
  return {};
}

Status ReadTap(TapOptions* options) {
  AddSlash(&options->method);
  for (const std::string& event : options->events) {
    if (std::find(kEvents.begin(), kEvents.end(), event) != kEvents.end()) continue;
    return Invalid("--event: expected connect, refuse, call, deny, disconnect or message");
  }
  for (std::string& outcome : options->outcomes) {
    std::transform(outcome.begin(), outcome.end(), outcome.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    bool known = false;
    for (int32_t code = 0; code <= static_cast<int32_t>(ttrpc::StatusCode::kUnauthenticated);
         ++code) {
      known |= outcome == ttrpc::StatusCodeName(static_cast<ttrpc::StatusCode>(code));
    }
    if (!known) return Invalid("--outcome: expected the name of a status, as PERMISSION_DENIED");
  }
  return {};
}

Status ReadWords(const Words& words, Options* options) {
  ttrpc::Result<ttrpc::Address> address = ttrpc::Address::Parse(words.address);
  if (!address) return In("--address", address.error());
  options->address = std::move(*address);
  if (Status status = ReadQuantities(words, options); !status.ok()) return status;
  switch (options->command) {
    case Command::kExplain:
      return ReadExplain(words, &options->explain);
    case Command::kTap:
      return ReadTap(&options->tap);
    case Command::kMetrics:
      if (options->json) return Invalid("metrics prints the text format, not --json");
      return {};
    case Command::kLearn:
      if (options->json) return Invalid("learn prints TOML, not --json");
      if (options->learn.audit.empty() && !words.tap)
        return Invalid("learn needs --audit or --tap");
      return {};
    case Command::kNames:
      return options->json ? Invalid("names prints lines, not --json") : Status();
    default:
      return {};
  }
}

Command CommandOf(std::string_view name) {
  constexpr std::pair<std::string_view, Command> kCommands[] = {
      {"status", Command::kStatus},   {"peers", Command::kPeers},
      {"calls", Command::kCalls},     {"rules", Command::kRules},
      {"users", Command::kUsers},     {"backends", Command::kBackends},
      {"metrics", Command::kMetrics}, {"reload", Command::kReload},
      {"drain", Command::kDrain},     {"log-level", Command::kLogLevel},
      {"explain", Command::kExplain}, {"tap", Command::kTap},
      {"close", Command::kClose},     {"learn", Command::kLearn},
      {"names", Command::kNames}};
  for (const auto& [known, command] : kCommands) {
    if (name == known) return command;
  }
  return Command::kStatus;
}

// What stands where a command is expected, with the command that it may be meant to be. Empty:
// nothing does.
std::string UnknownCommand(const CLI::App& app) {
  const std::vector<std::string> rest = app.remaining();
  if (!app.get_subcommands().empty() || rest.empty()) return "";
  const auto word = std::find_if(rest.begin(), rest.end(),
                                 [](const std::string& text) { return !text.starts_with('-'); });
  if (word == rest.end()) return "unknown option " + rest.front();
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands(nullptr))
    commands.push_back(command->get_name());
  const std::string closest = text::Closest(*word, commands);
  return "unknown command " + text::QuoteShort(*word) +
         (closest.empty() ? ", expected " + Enumerate(commands)
                          : "; did you mean " + text::Quote(closest) + "?");
}

// Prints what CLI11 makes of a command line that it does not take, or that asks for help.
int Report(const CLI::App& app, const CLI::ParseError& error) {
  if (const std::string unknown = UnknownCommand(app);
      error.get_exit_code() != 0 && !unknown.empty()) {
    Complain(unknown);
    return EX_USAGE;
  }
  std::ostringstream text;
  if (app.exit(error, text) != 0) return EX_USAGE;
  Print(text.str());
  return EXIT_SUCCESS;
}

}  // namespace

std::optional<int> ParseCommandLine(int argc, const char* const* argv, Options* options) {
  Words words;
  CLI::App app("Looks at a running ttrpc-proxyd, and directs it.", "ttrpc-proxyctl");
  app.set_version_flag("--version", "ttrpc-proxyctl " TTRPC_PROXY_VERSION);
  app.require_subcommand(1);
  // So that these may stand behind the command, too.
  app.fallthrough();
  app.add_option("--address", words.address, "socket of the daemon's admin service")
      ->type_name("ADDRESS")
      ->capture_default_str();
  app.add_option("--timeout", words.timeout,
                 "how long the daemon may take to answer (default: 10s, 30s with --pid)")
      ->type_name("DURATION");
  app.add_flag("--json", options->json, "print JSON, not text for people");
  app.footer(kExitStatus);
  AddLooks(&app, options, &words);
  AddActions(&app, options);
  AddExplain(&app, &options->explain, &words);
  AddTap(&app, &options->tap, &words);
  AddLearn(&app, &options->learn, &words);
  AddNames(&app, &options->names);
  for (CLI::App* command : app.get_subcommands(nullptr)) {
    command->footer("--address, --timeout and --json: see ttrpc-proxyctl --help.");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Report(app, error);
  }
  options->command = CommandOf(app.get_subcommands().front()->get_name());
  const Status status = ReadWords(words, options);
  if (status.ok()) return std::nullopt;
  Complain(status.message());
  return EX_USAGE;
}

}  // namespace proxyd::ctl
