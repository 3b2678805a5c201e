// SPDX-License-Identifier: Apache-2.0
//
// The command line of ttrpc-proxyctl. man/ttrpc-proxyctl.1 documents it, and a test compares the
// two.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ctl/users.h"
#include "ttrpc/address.h"

namespace proxyd::ctl {

enum class Command {
  kStatus,
  kPeers,
  kCalls,
  kRules,
  kUsers,
  kBackends,
  kWorkloads,
  kMetrics,
  kReload,
  kDrain,
  kLogLevel,
  kExplain,
  kTap,
  kClose,
  kLearn,
  kNames,
  kMethodSets,
};

struct ExplainOptions {
  std::string listener;  // empty: the only listener
  UserWords who;
  std::string method;  // /SERVICE/METHOD
  std::map<std::string, std::string> metadata;
  // The workload that the call is about; all empty: none.
  std::string name_space;
  std::string id;
  std::map<std::string, std::string> annotations;
  std::string config;          // empty: ask the daemon
  std::optional<bool> expect;  // true: allow; false: deny; none: no expectation
};

struct TapOptions {
  std::vector<std::string> users;  // names and numbers
  std::vector<std::string> listeners;
  std::vector<std::string> rules;
  std::vector<std::string> backends;
  std::string method;  // a pattern; empty: all methods
  std::vector<std::string> outcomes;
  std::vector<std::string> events;
  uint32_t payload_bytes = 0;  // most bytes shown of each message; 0: no messages
  std::vector<std::string> descriptor_sets;
  uint64_t count = 0;  // exit after this many events; 0: never
};

struct LearnOptions {
  std::string audit;  // a file, or - for standard input; empty: tap the daemon
  std::optional<std::chrono::nanoseconds> tap_for;  // none: until interrupted
  bool include_denied = false;
  std::string backend;  // the backend of the rules for denied calls
  std::string config;   // the configuration that gets the rules; empty: not known
};

struct Options {
  Command command = Command::kStatus;
  std::optional<ttrpc::Address> address;  // always set by ParseCommandLine()
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);
  bool json = false;
  std::optional<std::chrono::nanoseconds> watch;  // refresh interval; none: show once
  uint32_t limit = 0;               // most peers or calls to list; 0: the daemon's default
  std::string workloads_listener;   // lists only workloads of this listener; empty: all
  std::optional<pid_t> reload_pid;  // the daemon to reload; none: the one at `address`
  std::string log_level;
  std::vector<uint64_t> peers;  // the peers to close
  std::string close_listener;   // closes all peers of this listener; empty: closes `peers`
  ExplainOptions explain;
  TapOptions tap;
  LearnOptions learn;
  std::string names;       // "listeners", "rules" or "backends"
  std::string method_set;  // a name, `@` may be left out; empty: all
};

// Parses the command line into `options`. Returns an exit status if the program must end now: 64
// after an error was printed, 0 after --help or --version was. Returns none to continue.
std::optional<int> ParseCommandLine(int argc, const char* const* argv, Options* options);

}  // namespace proxyd::ctl
