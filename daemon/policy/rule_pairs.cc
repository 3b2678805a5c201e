// SPDX-License-Identifier: Apache-2.0
#include "policy/rule_pairs.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "policy/match.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

using Action = RuleConfig::Action;

// One step compares this many characters of two patterns, or this many ids, listeners, annotations,
// pairs of names and metadata conditions of two rules.
constexpr size_t kCharactersPerStep = 64;
constexpr size_t kEntriesPerStep = 16;

// Systems assign only smaller ids to accounts, while subordinate ids (subuid(5)) begin at 100000 by
// default.
constexpr uint32_t kFirstSubordinate = 65536;

struct Who {
  IdRanges users;
  IdRanges subordinate_users;
  IdRanges groups;
};

// Returns the steps for comparing two patterns. Unless both have stars, the time is about the sum
// of their lengths, which one step covers.
size_t StepsFor(const MethodPattern& a, const MethodPattern& b) {
  const auto characters = [](std::string_view one, std::string_view other) {
    return IsExact(one) || IsExact(other) ? 0 : one.size() * other.size();
  };
  return 1 +
         (characters(a.service, b.service) + characters(a.method, b.method)) / kCharactersPerStep;
}

bool ListenersMeet(const RuleConfig& a, const RuleConfig& b) {
  if (a.every_listener || b.every_listener) return true;
  return std::any_of(a.listeners.begin(), a.listeners.end(),
                     [&b](size_t listener) { return b.IsFor(listener); });
}

// Whether one call can meet the metadata conditions of both rules.
bool MetadataMeets(const RuleConfig& a, const RuleConfig& b) {
  return std::all_of(a.metadata.begin(), a.metadata.end(), [&b](const auto& condition) {
    const auto other = b.metadata.find(condition.first);
    return other == b.metadata.end() || other->second == condition.second;
  });
}

IdRanges FromSubordinateOn(const IdRanges& ranges) {
  IdRanges rest;
  for (const IdRange& range : ranges) {
    if (range.last >= kFirstSubordinate)
      rest.push_back({std::max(range.first, kFirstSubordinate), range.last});
  }
  return rest;
}

class PairLinter {
 public:
  PairLinter(const Config& config, OverflowIds overflow, const std::vector<bool>& unreachable,
             size_t most_steps)
      : config_(config), unreachable_(unreachable), steps_left_(most_steps) {
    who_.reserve(config.rules.size());
    entries_.reserve(config.rules.size());
    for (const RuleConfig& rule : config.rules) {
      Who who = {.users = EffectiveIds(rule.users, rule.action, overflow.uid),
                 .subordinate_users = {},
                 .groups = EffectiveIds(rule.groups, rule.action, overflow.gid)};
      who.subordinate_users = FromSubordinateOn(who.users);
      entries_.push_back(who.users.size() + who.groups.size() + rule.listeners.size() +
                         rule.metadata.size() + rule.annotations.size());
      who_.push_back(std::move(who));
    }
  }

  std::vector<ConfigError> Run() {
    for (size_t i = 0; i < config_.rules.size(); ++i) {
      const RuleConfig& rule = config_.rules[i];
      if (!rule.enforce || unreachable_[i]) continue;
      if (rule.action == Action::kDeny) {
        CheckEvasion(i);
      } else if (rule.every_listener && config_.listeners.size() > 1) {
        CheckDiversion(i);
      }
    }
    return std::move(warnings_);
  }

 private:
  // Returns false if fewer steps are left; then the comparing ends.
  bool Spend(size_t steps) {
    const bool enough = steps <= steps_left_;
    steps_left_ = enough ? steps_left_ - steps : 0;
    return enough;
  }

  // Whether `matches` is true for a pattern of `a` and one of `b`. Returns false if the steps are
  // used up.
  template <typename Matches>
  bool AnyPatterns(const RuleConfig& a, const RuleConfig& b, const Matches& matches) {
    for (const MethodPattern& pattern : a.methods) {
      for (const MethodPattern& other : b.methods) {
        if (!Spend(StepsFor(pattern, other))) return false;
        if (matches(pattern, other)) return true;
      }
    }
    return false;
  }

  bool MethodsMeet(const RuleConfig& a, const RuleConfig& b) {
    return a.methods.empty() || b.methods.empty() || AnyPatterns(a, b, PatternsMeet);
  }

  // Returns false if the steps are used up.
  bool SpendOnNames(const RuleConfig& a, const RuleConfig& b) {
    return Spend((a.namespaces.size() * b.namespaces.size() + a.ids.size() * b.ids.size()) /
                 kEntriesPerStep);
  }

  // Whether `rule` matches all calls to one of the patterns of `later`, judged by methods,
  // workloads and metadata.
  bool TakesAMethod(const RuleConfig& rule, const RuleConfig& later) {
    return SpendOnNames(rule, later) && WorkloadsCover(rule, later) &&
           std::includes(later.metadata.begin(), later.metadata.end(), rule.metadata.begin(),
                         rule.metadata.end()) &&
           AnyPatterns(rule, later, PatternCovers);
  }

  // Returns the first allow rule after `index` for which `matches` is true.
  template <typename Matches>
  std::optional<size_t> FindAllowAfter(size_t index, const Matches& matches) {
    for (size_t later = index + 1; later < config_.rules.size(); ++later) {
      if (!Spend(1)) return std::nullopt;
      const RuleConfig& rule = config_.rules[later];
      if (!rule.enforce || rule.action != Action::kAllow || unreachable_[later]) continue;
      if (!Spend((entries_[index] + entries_[later]) / kEntriesPerStep)) return std::nullopt;
      if (matches(later, rule)) return later;
    }
    return std::nullopt;
  }

  void CheckDiversion(size_t index) {
    const RuleConfig& rule = config_.rules[index];
    const auto later = FindAllowAfter(index, [&](size_t other, const RuleConfig& narrow) {
      return narrow.backend != rule.backend && !narrow.every_listener &&
             RangesMeet(who_[index].users, who_[other].users) && TakesAMethod(rule, narrow);
    });
    if (!later) return;
    const RuleConfig& narrow = config_.rules[*later];
    Warn(rule, "has no listeners, so it sends calls on listener " +
                   QuoteShort(config_.listeners[narrow.listeners.front()].name) + " to backend " +
                   QuoteShort(config_.backends[rule.backend].name) + " before " + Named(narrow) +
                   " can send them to backend " +
                   QuoteShort(config_.backends[narrow.backend].name) + "; add listeners to it");
  }

  // Whether `allow` may match a call that `deny` also matches, apart from users and groups.
  bool IsBehind(const RuleConfig& deny, const RuleConfig& allow) {
    return ListenersMeet(deny, allow) && MetadataMeets(deny, allow) && SpendOnNames(deny, allow) &&
           WorkloadsMeet(deny, allow) && MethodsMeet(deny, allow);
  }

  // A client cannot choose the groups and uids that it is given, but it can drop them: groups by
  // setgroups(2) in a user namespace of its own, and its uid by using a subordinate one.
  void CheckEvasion(size_t index) {
    const RuleConfig& rule = config_.rules[index];
    const Who& denied = who_[index];
    if (rule.groups) {
      const auto later = FindAllowAfter(index, [&](size_t other, const RuleConfig& allow) {
        return !RangesCover(denied.groups, who_[other].groups) &&
               RangesMeet(denied.users, who_[other].users) && IsBehind(rule, allow);
      });
      if (later) {
        Warn(rule, "denies calls by group, but a client can drop a group, and then " +
                       Named(config_.rules[*later]) +
                       " allows them; allow only the groups that need access instead");
      }
    }
    if (rule.users) {
      const auto later = FindAllowAfter(index, [&](size_t other, const RuleConfig& allow) {
        return !RangesCover(denied.users, who_[other].subordinate_users) &&
               RangesMeet(denied.users, who_[other].users) && IsBehind(rule, allow);
      });
      if (later) {
        Warn(rule,
             "denies calls by user, but a user can call with a subordinate uid, and then " +
                 Named(config_.rules[*later]) +
                 " allows them; allow only the users that need access instead, or a range such "
                 "as \"1000-59999\"");
      }
    }
  }

  static std::string Named(const RuleConfig& rule) {
    return "rule " + QuoteShort(rule.name) + " at " + rule.position.ToString();
  }
  void Warn(const RuleConfig& rule, const std::string& what) {
    warnings_.push_back(ConfigWarning(rule.position, "rule " + QuoteShort(rule.name) + " " + what));
  }

  const Config& config_;
  const std::vector<bool>& unreachable_;
  std::vector<Who> who_;         // by rule
  std::vector<size_t> entries_;  // by rule: ids, listeners, annotations, metadata
  size_t steps_left_;
  std::vector<ConfigError> warnings_;
};

}  // namespace

std::vector<ConfigError> LintRulePairs(const Config& config, OverflowIds overflow,
                                       const std::vector<bool>& unreachable, size_t most_steps) {
  return PairLinter(config, overflow, unreachable, most_steps).Run();
}

}  // namespace proxyd
