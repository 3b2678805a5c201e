// SPDX-License-Identifier: Apache-2.0
//
// Learn: from the calls that were seen to a small set of rules that allow those calls, and no
// others. What was denied stands in rules of its own, so that nobody allows it unseen. Users who
// may call the same share a rule, and so do methods that are called by the same; no name is made
// into a pattern. The smallest set of all is not looked for (that takes for ever in the worst
// case): of three ways to put them together, the one with the fewest rules. No I/O; any thread.
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
  uint64_t calls = 0;                       // that led to it, and to no rule before it
  bool denied = false;                      // all of these were denied
  std::vector<std::string> denied_by = {};  // the rules that did, if any
};

struct Learned {
  std::vector<LearnedRule> rules;
  // Calls that went now to one backend and now to another, which rules cannot do, in words.
  std::vector<std::string> conflicts;
};

Learned Learn(const SeenCalls& calls);

struct RulePrinting {
  // Empty: it has none.
  std::function<std::string(uid_t)> user_name;
  std::set<std::string> taken_names;  // of rules that there are
  // Users whom the configuration names: rules name them, too. The audit may be another machine's,
  // so that no other names are known.
  WrittenNames written_names = {};
};

// As TOML.
std::string PrintRules(const std::vector<LearnedRule>& rules, const RulePrinting& printing);

}  // namespace proxyd::ctl
