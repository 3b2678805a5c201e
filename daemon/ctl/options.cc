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
    "Exit status: 0 success; 1 failure, or the daemon refused or cannot be reached;\n"
    "2 the decision differs from --expect; 64 bad command line; 65 a tap filter names an\n"
    "unknown listener, rule or backend; 74 output cannot be written; 75 a name in the\n"
    "--config file does not resolve yet; 78 bad --config file.";

constexpr std::array<std::string_view, 6> kEvents = {"connect", "refuse",     "call",
                                                     "deny",    "disconnect", "message"};
constexpr std::chrono::seconds kSignalledReload{30};
constexpr uint32_t kMostPayload = 64 << 10;  // the daemon sends no more of one message

// Words holds what CLI11 read, before it is checked and converted.
struct Words {
  std::string address = "unix:///run/ttrpc-proxy/admin.sock";
  std::optional<std::string> timeout;
  std::optional<std::string> watch;
  std::optional<std::string> group;
  std::vector<std::string> groups;
  std::vector<std::string> metadata;
  std::vector<std::string> annotations;
  std::optional<std::string> payload;
  std::optional<std::string> tap;
  std::optional<std::string> expect;
};

// Adds an option that takes one value and can be repeated.
void AddList(CLI::App* app, const std::string& name, std::vector<std::string>* values,
             const std::string& type, const std::string& help) {
  app->add_option(name, *values, help + "; repeatable")->allow_extra_args(false)->type_name(type);
}

// Adds an option whose value is optional.
CLI::Option* AddOptional(CLI::App* app, const std::string& name, std::optional<std::string>* value,
                         const std::string& type, const std::string& help) {
  return app
      ->add_option_function<std::string>(
          name, [value](const std::string& given) { *value = given; }, help)
      ->expected(0, 1)
      ->type_name("[" + type + "]");
}

// Returns `unknown NOUN "typed"; did you mean "X"?`, or a list of `words` if none of them is close.
std::string Unknown(const std::string& noun, const std::string& typed,
                    const std::vector<std::string>& words) {
  return "unknown " + noun + " " + text::QuoteShort(typed) + "; " +
         text::DidYouMean(typed, words, "use " + Enumerate(words));
}

// Returns an empty text if `typed` is one of `words`, otherwise what Unknown() returns.
std::string CheckWord(const std::string& noun, const std::string& typed,
                      const std::vector<std::string>& words) {
  const bool known = std::find(words.begin(), words.end(), typed) != words.end();
  return known ? std::string() : Unknown(noun, typed, words);
}

// Accepts one of `words`. CLI::IsMember would make no suggestion. `noun` says what they are.
CLI::Validator OneOf(const std::string& noun, const std::vector<std::string>& words) {
  return {[noun, words](const std::string& typed) { return CheckWord(noun, typed, words); }, ""};
}

// Accepts numbers from 1. CLI11's own conversion would read -1 as a large number.
CLI::Validator Number(uint64_t largest) {
  const auto check = [largest](const std::string& text) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_number = error == std::errc() && end == text.data() + text.size();
    if (is_number && number > 0 && number <= largest) return std::string();
    return text::QuoteShort(text) + " is not valid; use a number from 1 to " +
           std::to_string(largest);
  };
  return {check, ""};
}

// Adds a command that shows state and can refresh it.
CLI::App* AddLook(CLI::App* app, const std::string& name, const std::string& help, Words* words) {
  CLI::App* look = app->add_subcommand(name, help);
  AddOptional(look, "--watch", &words->watch, "SECONDS",
              "refresh until interrupted (default: every 2 seconds)");
  return look;
}

void AddLooks(CLI::App* app, Options* options, Words* words) {
  AddLook(app, "status", "Show the state of the daemon.", words);
  CLI::App* peers = AddLook(app, "peers", "List the connected peers.", words);
  CLI::App* calls = AddLook(app, "calls", "List the calls in flight.", words);
  for (CLI::App* list : {peers, calls}) {
    list->add_option("--limit", options->limit, "list only the N oldest (default: 1000)")
        ->type_name("N")
        ->check(Number(UINT32_MAX));
  }
  AddLook(app, "rules", "List the rules and how many calls each decided.", words);
  AddLook(app, "users", "List the connected users and what they use.", words);
  AddLook(app, "backends", "List the backends and whether they are up.", words);
  AddLook(app, "workloads", "List the workloads that were discovered, and their sockets.", words)
      ->add_option("--listener", options->workloads_listener,
                   "list only the workloads of this listener")
      ->type_name("NAME");
  app->add_subcommand("metrics", "Print the metrics in the Prometheus text format.");
}

void AddActions(CLI::App* app, Options* options) {
  app->add_subcommand("reload", "Reload the configuration and report the result.")
      ->add_option("--pid", options->reload_pid,
                   "reload this process; without an admin service, by SIGHUP")
      ->type_name("PID")
      ->check(Number(INT32_MAX));
  app->add_subcommand("drain", "Let the calls in flight finish, then stop the daemon.");
  const std::vector<std::string> levels = ListOf(kLogLevelWords);
  app->add_subcommand("log-level", "Change the log level of the running daemon.")
      ->add_option("LEVEL", options->log_level, Enumerate(levels))
      ->required()
      ->check(OneOf("level", levels));
  CLI::App* close = app->add_subcommand("close", "Close peers at once, with their calls.");
  CLI::Option* peers =
      close->add_option("PEER", options->peers, "the number of a peer, as listed by `peers`")
          ->check(Number(UINT64_MAX));
  close
      ->add_option("--listener", options->close_listener,
                   "close all peers of this listener, even if a reload removed it")
      ->type_name("NAME")
      ->excludes(peers);
  close->callback([options] {
    if (options->peers.empty() && options->close_listener.empty())
      throw CLI::RequiredError("PEER or --listener");
  });
}

void AddExplain(CLI::App* app, ExplainOptions* options, Words* words) {
  CLI::App* explain = app->add_subcommand(
      "explain", "Show whether a call would be allowed, by which rule and why.");
  explain
      ->add_option("--listener", options->listener,
                   "the listener that gets the call (default: the only one)")
      ->type_name("NAME");
  explain->add_option("--user", options->who.user, "the caller: a name or a number")
      ->type_name("USER")
      ->required();
  explain
      ->add_option("--group", words->group,
                   "the caller's effective group (default: from the user database)")
      ->type_name("GROUP");
  explain
      ->add_option("--groups", words->groups,
                   "the caller's supplementary groups (default: from the user database)")
      ->type_name("GROUP,...")
      ->allow_extra_args(false)
      ->delimiter(',');
  explain->add_option("--method", options->method, "the method: SERVICE/METHOD")
      ->type_name("METHOD")
      ->required();
  AddList(explain, "--metadata", &words->metadata, "KEY=VALUE", "metadata of the call");
  explain->add_option("--namespace", options->name_space, "the namespace of the call's workload")
      ->type_name("NAME");
  explain->add_option("--id", options->id, "the id or name of the call's workload")
      ->type_name("ID");
  AddList(explain, "--annotation", &words->annotations, "KEY=VALUE", "annotation of the workload");
  explain
      ->add_option("--config", options->config,
                   "use this file and conf.d/*.toml beside it instead of a daemon")
      ->type_name("FILE");
  explain
      ->add_option("--expect", words->expect,
                   "allow or deny; exit with status 2 if the decision differs")
      ->type_name("ACTION")
      ->check(OneOf("action", ListOf(kActionWords)));
}

void AddTap(CLI::App* app, TapOptions* options, Words* words) {
  CLI::App* tap = app->add_subcommand("tap", "Show connections, calls and denials as they happen.");
  AddList(tap, "--user", &options->users, "USER", "only events of this user");
  AddList(tap, "--listener", &options->listeners, "NAME", "only events on this listener");
  AddList(tap, "--rule", &options->rules, "NAME", "only calls that this rule decided");
  AddList(tap, "--backend", &options->backends, "NAME", "only calls to this backend");
  tap->add_option("--method", options->method, "only methods that match, as in a rule")
      ->type_name("PATTERN");
  AddList(tap, "--outcome", &options->outcomes, "CODE",
          "only events with this status: OK, PERMISSION_DENIED, …");
  AddList(tap, "--event", &options->events, "EVENT",
          "only connect, refuse, call, deny, disconnect or message");
  AddOptional(tap, "--payload", &words->payload, "SIZE",
              "also show messages, at most SIZE of each (default: 64KiB)");
  AddList(tap, "--descriptor-set", &options->descriptor_sets, "FILE",
          "decode messages by this descriptor set, as written by protoc -o; - is standard input");
  tap->add_option("--count", options->count, "exit after N events")
      ->type_name("N")
      ->check(Number(UINT64_MAX));
}

void AddLearn(CLI::App* app, LearnOptions* options, Words* words) {
  CLI::App* learn =
      app->add_subcommand("learn", "Print rules that allow exactly the calls seen, for review.");
  CLI::Option* audit =
      learn->add_option("--audit", options->audit, "read this audit file; - is standard input")
          ->type_name("FILE");
  AddOptional(learn, "--tap", &words->tap, "SECONDS",
              "tap the daemon for SECONDS, or until interrupted")
      ->excludes(audit);
  CLI::Option* denied =
      learn->add_flag("--include-denied", options->include_denied, "also allow calls seen denied");
  CLI::Option* backend = learn
                             ->add_option("--backend", options->backend,
                                          "with --include-denied: the backend for denied calls")
                             ->type_name("NAME")
                             ->needs(denied);
  denied->needs(backend);
  learn
      ->add_option("--config", options->config,
                   "skip calls whose listener or backend is not in this configuration")
      ->type_name("FILE");
}

void AddNames(CLI::App* app, std::string* names) {
  const std::vector<std::string> kinds = {"listeners", "rules", "backends"};
  app->add_subcommand("names", "Print the names of listeners, rules or backends, one per line.")
      ->add_option("KIND", *names, Enumerate(kinds))
      ->required()
      ->check(OneOf("kind", kinds));
}

void AddMethodSets(CLI::App* app, std::string* name) {
  app->add_subcommand("method-sets", "Print the built-in sets of methods, or one of them.")
      ->add_option("NAME", *name, "print only this set, one method per line");
}

Status In(const std::string& where, const Status& what) {
  return Invalid(where + ": " + what.message());
}

// Reads a duration with a unit, or a bare number of seconds.
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
  // After SIGHUP the daemon reports nothing until the whole reload has ended.
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

// Users may omit the first slash of a method or pattern.
void AddSlash(std::string* method) {
  if (!method->empty() && !method->starts_with('/')) method->insert(0, 1, '/');
}

// Reads words of the form KEY=VALUE.
Status ReadPairs(const std::string& option, const std::vector<std::string>& words,
                 std::map<std::string, std::string>* pairs) {
  for (const std::string& word : words) {
    const size_t end = word.find('=');
    if (end == std::string::npos || end == 0)
      return Invalid(option + ": " + text::QuoteShort(word) + " is not valid; write KEY=VALUE");
    const std::string key = word.substr(0, end);
    if (!pairs->emplace(key, word.substr(end + 1)).second) {
      return Invalid(option + ": key " + text::QuoteShort(key) +
                     " is given twice; give each key once");
    }
  }
  return {};
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
  if (Status status = ReadPairs("--metadata", words.metadata, &options->metadata); !status.ok())
    return status;
  return ReadPairs("--annotation", words.annotations, &options->annotations);
}

Status ReadTap(TapOptions* options) {
  AddSlash(&options->method);
  const std::vector<std::string> events(kEvents.begin(), kEvents.end());
  for (const std::string& event : options->events) {
    if (const std::string wrong = CheckWord("event", event, events); !wrong.empty())
      return Invalid("--event: " + wrong);
  }
  std::vector<std::string> codes;
  for (int32_t code = 0; code <= static_cast<int32_t>(ttrpc::StatusCode::kUnauthenticated); ++code)
    codes.emplace_back(ttrpc::StatusCodeName(static_cast<ttrpc::StatusCode>(code)));
  for (std::string& outcome : options->outcomes) {
    std::transform(outcome.begin(), outcome.end(), outcome.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    if (const std::string wrong = CheckWord("status", outcome, codes); !wrong.empty())
      return Invalid("--outcome: " + wrong);
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
      if (options->json) return Invalid("metrics cannot print JSON; omit --json");
      return {};
    case Command::kLearn:
      if (options->json) return Invalid("learn cannot print JSON; omit --json");
      if (options->learn.audit.empty() && !words.tap)
        return Invalid("learn has no input; use --audit FILE or --tap");
      return {};
    case Command::kNames:
      return options->json ? Invalid("names cannot print JSON; omit --json") : Status();
    default:
      return {};
  }
}

Command CommandOf(std::string_view name) {
  constexpr std::pair<std::string_view, Command> kCommands[] = {
      {"status", Command::kStatus},
      {"peers", Command::kPeers},
      {"calls", Command::kCalls},
      {"rules", Command::kRules},
      {"users", Command::kUsers},
      {"backends", Command::kBackends},
      {"workloads", Command::kWorkloads},
      {"metrics", Command::kMetrics},
      {"reload", Command::kReload},
      {"drain", Command::kDrain},
      {"log-level", Command::kLogLevel},
      {"explain", Command::kExplain},
      {"tap", Command::kTap},
      {"close", Command::kClose},
      {"learn", Command::kLearn},
      {"names", Command::kNames},
      {"method-sets", Command::kMethodSets},
  };
  for (const auto& [known, command] : kCommands) {
    if (name == known) return command;
  }
  return Command::kStatus;
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

void AddOptionNames(const CLI::App& app, std::vector<std::string>* names) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      // Every command has its own --help.
      const std::string full = "--" + name;
      if (std::find(names->begin(), names->end(), full) == names->end()) names->push_back(full);
    }
  }
}

// Describes the first word that CLI11 could not assign. Returns an empty text if there is none.
std::string Unexpected(const CLI::App& app) {
  const std::vector<std::string> rest = app.remaining();
  if (rest.empty()) return "";
  const std::string& word = rest.front();
  const std::vector<CLI::App*> given = app.get_subcommands();
  if (word.starts_with('-')) {
    std::vector<std::string> options;
    if (!given.empty()) AddOptionNames(*given.front(), &options);
    AddOptionNames(app, &options);
    return Unknown("option", word.substr(0, word.find('=')), options);
  }
  if (!given.empty()) return "unexpected argument " + text::QuoteShort(word);
  return Unknown("command", word, CommandNames(app));
}

// Returns CLI11's message about an error, reworded where it would count values.
std::string MessageOf(const CLI::ParseError& error) {
  std::string message = error.what();
  const size_t end = message.find(": ");
  if (error.get_name() != "ArgumentMismatch" || end == std::string::npos) return message;
  const bool too_many = message.find("At Most") != std::string::npos;
  return message.substr(0, end) + (too_many ? " is given more than once" : " needs a value");
}

// Prints the help or version that was asked for, or the error, and returns the exit status.
int Report(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) {
    std::ostringstream text;
    static_cast<void>(app.exit(error, text));
    Print(text.str());
    return EXIT_SUCCESS;
  }
  const std::vector<CLI::App*> given = app.get_subcommands();
  std::string what = Unexpected(app);
  if (what.empty() && given.empty() && error.get_name() == "RequiredError")
    what = "no command is given; use " + Enumerate(CommandNames(app));
  if (what.empty()) what = MessageOf(error);
  if (what.find("; ") == std::string::npos) {
    what +=
        "; see ttrpc-proxyctl " + (given.empty() ? "" : given.front()->get_name() + " ") + "--help";
  }
  Complain(what);
  return EX_USAGE;
}

}  // namespace

std::optional<int> ParseCommandLine(int argc, const char* const* argv, Options* options) {
  Words words;
  CLI::App app("Inspects and controls a running ttrpc-proxyd.", "ttrpc-proxyctl");
  app.set_version_flag("--version", "ttrpc-proxyctl " TTRPC_PROXY_VERSION);
  app.require_subcommand(1);
  // Users can also put these options after the command.
  app.fallthrough();
  app.add_option("--address", words.address, "the socket of the daemon's admin service")
      ->type_name("ADDRESS")
      ->capture_default_str();
  app.add_option("--timeout", words.timeout,
                 "time limit for connecting and for each reply (default: 10s; 30s with --pid)")
      ->type_name("DURATION");
  app.add_flag("--json", options->json, "print JSON instead of text");
  app.footer(kExitStatus);
  AddLooks(&app, options, &words);
  AddActions(&app, options);
  AddExplain(&app, &options->explain, &words);
  AddTap(&app, &options->tap, &words);
  AddLearn(&app, &options->learn, &words);
  AddNames(&app, &options->names);
  AddMethodSets(&app, &options->method_set);
  for (CLI::App* command : app.get_subcommands(nullptr)) {
    command->footer("For --address, --timeout and --json see ttrpc-proxyctl --help.");
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
