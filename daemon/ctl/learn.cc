// SPDX-License-Identifier: Apache-2.0
#include "ctl/learn.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "config/toml_writer.h"
#include "config/words.h"
#include "ctl/cover.h"
#include "text/escape.h"

namespace proxyd::ctl {

using text::Quote;

namespace {

// A Who is one user and one method. Rules distinguish only these and the listener.
struct Who {
  uid_t uid = 0;
  std::string method;  // /SERVICE/METHOD

  friend bool operator<(const Who& a, const Who& b) {
    return std::tie(a.uid, a.method) < std::tie(b.uid, b.method);
  }
};

struct Target {
  SeenCount count;
  bool streams = false;
  uint64_t calls() const { return count.allowed + count.asked + count.denied; }
  bool denied() const { return count.allowed + count.asked == 0; }
};

// Targets are the backends that each listener and Who called. More than one is a conflict.
using Targets = std::map<std::pair<std::string, Who>, std::map<std::string, Target>>;

// Group is what all rules generated from it have in common.
struct Group {
  bool denied = false;
  std::string backend;
  bool streams = false;
  std::vector<std::string> listeners;
  std::vector<std::string> denied_by;

  friend bool operator<(const Group& a, const Group& b) {
    return std::tie(a.denied, a.backend, a.streams, a.listeners, a.denied_by) <
           std::tie(b.denied, b.backend, b.streams, b.listeners, b.denied_by);
  }
};

// Members are the number of calls in a group for each Who.
using Members = std::map<Who, uint64_t>;

Targets TargetsOf(const SeenCalls& calls) {
  Targets targets;
  for (const auto& [call, count] : calls) {
    const Who who = {.uid = call.uid, .method = "/" + call.service + "/" + call.method};
    Target& target = targets[{call.listener, who}][call.backend];
    target.count.allowed += count.allowed;
    target.count.asked += count.asked;
    target.count.denied += count.denied;
    target.count.denied_by.insert(count.denied_by.begin(), count.denied_by.end());
    target.streams |= call.streams;
  }
  return targets;
}

// Chooses the backend with the most allowed calls. Calls that only a rule with enforce = false
// would have allowed decide among equals.
const std::pair<const std::string, Target>& Choose(const std::map<std::string, Target>& backends) {
  return *std::max_element(backends.begin(), backends.end(), [](const auto& a, const auto& b) {
    return std::tie(a.second.count.allowed, a.second.count.asked, a.second.count.denied) <
           std::tie(b.second.count.allowed, b.second.count.asked, b.second.count.denied);
  });
}

std::string Conflict(const std::string& listener, const Who& who,
                     const std::map<std::string, Target>& backends, const std::string& chosen) {
  std::string text = "uid " + std::to_string(who.uid) + " called " + who.method + " on listener " +
                     Quote(listener) + " at several backends:";
  for (const auto& [backend, target] : backends) {
    text += " " + Quote(backend) + " (" + std::to_string(target.calls()) + " calls)";
  }
  return text + "; the rules use " + Quote(chosen);
}

std::map<Group, Members> GroupsOf(const Targets& targets, std::vector<std::string>* conflicts) {
  struct Reach {
    std::set<std::string> listeners;
    uint64_t calls = 0;
  };
  std::map<std::pair<Group, Who>, Reach> reaches;  // these groups have no listeners yet
  for (const auto& [where, backends] : targets) {
    const auto& [listener, who] = where;
    const auto& [backend, target] = Choose(backends);
    if (backends.size() > 1) conflicts->push_back(Conflict(listener, who, backends, backend));
    Group group = {.denied = target.denied(),
                   .backend = backend,
                   .streams = target.streams,
                   .listeners = {},
                   .denied_by = {}};
    // A call that was also allowed needs no warning.
    if (group.denied)
      group.denied_by = {target.count.denied_by.begin(), target.count.denied_by.end()};
    Reach& reach = reaches[{std::move(group), who}];
    reach.listeners.insert(listener);
    reach.calls += target.calls();
  }
  std::map<Group, Members> groups;
  for (const auto& [key, reach] : reaches) {
    Group group = key.first;
    group.listeners = {reach.listeners.begin(), reach.listeners.end()};
    groups[std::move(group)][key.second] = reach.calls;
  }
  return groups;
}

template <typename T>
void SortUnique(std::vector<T>* values) {
  std::sort(values->begin(), values->end());
  values->erase(std::unique(values->begin(), values->end()), values->end());
}

void AddRules(const Group& group, Members members, std::vector<LearnedRule>* rules) {
  std::vector<uid_t> users;
  std::vector<std::string> methods;
  for (const auto& [who, calls] : members) {
    users.push_back(who.uid);
    methods.push_back(who.method);
  }
  SortUnique(&users);
  SortUnique(&methods);
  std::vector<std::set<size_t>> methods_of(users.size());
  for (const auto& [who, calls] : members) {
    const auto user = std::lower_bound(users.begin(), users.end(), who.uid) - users.begin();
    const auto method =
        std::lower_bound(methods.begin(), methods.end(), who.method) - methods.begin();
    methods_of[static_cast<size_t>(user)].insert(static_cast<size_t>(method));
  }
  for (const Box& box : Cover(methods_of)) {
    LearnedRule rule = {.backend = group.backend,
                        .streams = group.streams,
                        .listeners = group.listeners,
                        .users = {},
                        .methods = {},
                        .calls = 0,
                        .denied = group.denied,
                        .denied_by = group.denied_by};
    for (const size_t method : box.columns) rule.methods.push_back(methods[method]);
    for (const size_t user : box.rows) {
      rule.users.push_back(users[user]);
      for (const std::string& method : rule.methods) {
        rule.calls += std::exchange(members[{.uid = users[user], .method = method}], 0);
      }
    }
    rules->push_back(std::move(rule));
  }
}

// Returns a comment with the names of `users`, or an empty text if none of them has a name.
std::string Names(const std::vector<uid_t>& users, const RulePrinting& printing) {
  std::string names;
  bool any = false;
  for (const uid_t uid : users) {
    const std::string name = printing.user_name ? printing.user_name(uid) : std::string();
    any |= !name.empty() && name != std::to_string(uid);
    names +=
        (names.empty() ? "" : ", ") + (name.empty() ? std::to_string(uid) : text::Printable(name));
  }
  return any ? names : "";
}

// Returns `12 calls`, or `1 call that was DENIED by rule "a", rule "b"`.
std::string CommentOn(const LearnedRule& rule) {
  std::string comment = std::to_string(rule.calls) + (rule.calls == 1 ? " call" : " calls");
  if (!rule.denied) return comment;
  comment += rule.calls == 1 ? " that was DENIED" : " that were DENIED";
  if (rule.denied_by.empty()) return comment + " because no rule matched";
  for (const std::string& name : rule.denied_by)
    comment += (name == rule.denied_by.front() ? " by rule " : ", rule ") + Quote(name);
  return comment;
}

std::vector<std::string> UserElements(const std::vector<uid_t>& users, const WrittenNames& names) {
  std::vector<std::string> elements;
  for (const uid_t uid : users) {
    const auto name = names.find(uid);
    elements.push_back(name != names.end() ? Quote(name->second) : std::to_string(uid));
  }
  return elements;
}

}  // namespace

Learned Learn(const SeenCalls& calls) {
  Learned learned;
  for (auto& [group, members] : GroupsOf(TargetsOf(calls), &learned.conflicts)) {
    AddRules(group, std::move(members), &learned.rules);
  }
  return learned;
}

std::string PrintRules(const std::vector<LearnedRule>& rules, const RulePrinting& printing) {
  TomlWriter out;
  size_t number = 0;
  for (const LearnedRule& rule : rules) {
    std::string name;
    do {
      name = "learned " + std::to_string(++number);
    } while (printing.taken_names.contains(name));
    out.Table("[[rule]]", CommentOn(rule));
    out.String("name", name);
    out.Array("listeners", TomlStrings(rule.listeners));
    const bool all_named = std::all_of(rule.users.begin(), rule.users.end(), [&](uid_t uid) {
      return printing.written_names.contains(uid);
    });
    out.Array("users", UserElements(rule.users, printing.written_names),
              all_named ? std::string() : Names(rule.users, printing));
    out.ArrayOfLines("methods", TomlStrings(rule.methods));
    out.String("action", WordOf(kActionWords, RuleConfig::Action::kAllow));
    out.String("backend", rule.backend);
    // The audit does not record which side streamed.
    if (rule.streams) out.Bool("streams", true, "remove if only the backend streams");
  }
  // Users append the rules to an existing file, so an empty line comes first.
  return rules.empty() ? "" : "\n" + out.Take();
}

}  // namespace proxyd::ctl
