// SPDX-License-Identifier: Apache-2.0
//
// Learn: generates a small set of rules that allow the given calls and no others. Names never
// become patterns. Denied calls get rules of their own, so that a reviewer notices them.
//
// Users with the same methods share a rule, and so do methods with the same users. The set is the
// smallest of three attempts; the true minimum would take exponential time. These functions do no
// I/O; any thread may call them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "ctl/audit_reader.h"

namespace proxyd::ctl {

struct LearnedRule {
  std::string backend;
  bool streams = false;
  std::vector<std::string> listeners;
  std::vector<uid_t> users;
  std::vector<std::string> methods;         // /SERVICE/METHOD
  uint64_t calls = 0;                       // calls that it covers and no rule before it does
  bool denied = false;                      // whether all of these calls were denied
  std::vector<std::string> denied_by = {};  // the rules that denied them, if any
};

struct Learned {
  std::vector<LearnedRule> rules;
  // One sentence for each method that went to several backends, which a rule cannot express.
  std::vector<std::string> conflicts;
};

Learned Learn(const SeenCalls& calls);

struct RulePrinting {
  // Returns the user's name, or an empty text if it has none.
  std::function<std::string(uid_t)> user_name;
  std::set<std::string> taken_names;  // names of existing rules
  // The users that the configuration names; rules use these names. Other users are printed as
  // numbers, since the audit may come from a machine with other names.
  WrittenNames written_names = {};
};

// Returns the rules as TOML.
std::string PrintRules(const std::vector<LearnedRule>& rules, const RulePrinting& printing);

}  // namespace proxyd::ctl
