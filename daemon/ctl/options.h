// SPDX-License-Identifier: Apache-2.0
//
// The command line. man/ttrpc-proxyctl.1 says what everything in it means, and a test compares the
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
  kMetrics,
  kReload,
  kDrain,
  kLogLevel,
  kExplain,
  kTap,
  kClose,
  kLearn,
  kNames,
};

struct ExplainOptions {
  std::string listener;  // empty: the only one
  UserWords who;
  std::string method;  // /SERVICE/METHOD
  std::map<std::string, std::string> metadata;
  std::string config;          // empty: the daemon is asked
  std::optional<bool> expect;  // whether the call is to be allowed; none: either will do
};

struct TapOptions {
  std::vector<std::string> users;  // names and numbers
  std::vector<std::string> listeners;
  std::vector<std::string> rules;
  std::vector<std::string> backends;
  std::string method;  // a pattern
  std::vector<std::string> outcomes;
  std::vector<std::string> events;
  uint32_t payload_bytes = 0;
  std::vector<std::string> descriptor_sets;
  uint64_t count = 0;  // of events, then it ends; 0: no end
};

struct LearnOptions {
  std::string audit;  // a file, or - for standard input; empty: the daemon is tapped
  std::optional<std::chrono::nanoseconds> tap_for;  // none: until interrupted
  bool include_denied = false;
  std::string backend;  // of what was denied
  std::string config;   // that the rules are for; empty: not known
};

struct Options {
  Command command = Command::kStatus;
  std::optional<ttrpc::Address> address;  // always there
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);
  bool json = false;
  std::optional<std::chrono::nanoseconds> watch;  // between two looks
  uint32_t limit = 0;                             // of peers and calls shown; 0: the daemon's
  std::optional<pid_t> reload_pid;  // of the daemon to reload; none: whichever has the address
  std::string log_level;
  std::vector<uint64_t> peers;  // to close
  std::string close_listener;   // whose peers are to be closed; empty: `peers`
  ExplainOptions explain;
  TapOptions tap;
  LearnOptions learn;
  std::string names;  // "listeners", "rules" or "backends"
};

// 64 if the command line is bad, 0 if all it asked for was help or the version: then it has been
// printed. None: go on with `options`.
std::optional<int> ParseCommandLine(int argc, const char* const* argv, Options* options);

}  // namespace proxyd::ctl
