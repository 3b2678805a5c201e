// SPDX-License-Identifier: Apache-2.0
#include "policy/rule_pairs.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "policy/match.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

using Action = RuleConfig::Action;

// The limit on comparisons, most of which take much less than a microsecond.
constexpr size_t kMostPairs = 10'000'000;

// Systems assign only smaller ids to accounts, while subordinate ids (subuid(5)) begin at 100000 by
// default.
constexpr uint32_t kFirstSubordinate = 65536;

struct Who {
  IdRanges users;
  IdRanges groups;
};

bool ListenersMeet(const RuleConfig& a, const RuleConfig& b) {
  if (a.every_listener || b.every_listener) return true;
  return std::any_of(a.listeners.begin(), a.listeners.end(),
                     [&b](size_t listener) { return b.IsFor(listener); });
}

bool MethodsMeet(const RuleConfig& a, const RuleConfig& b) {
  if (a.methods.empty() || b.methods.empty()) return true;
  return std::any_of(a.methods.begin(), a.methods.end(), [&b](const MethodPattern& pattern) {
    return std::any_of(b.methods.begin(), b.methods.end(), [&pattern](const MethodPattern& other) {
      return PatternsMeet(pattern, other);
    });
  });
}

// Whether one call can meet the metadata conditions of both rules.
bool MetadataMeets(const RuleConfig& a, const RuleConfig& b) {
  return std::all_of(a.metadata.begin(), a.metadata.end(), [&b](const auto& condition) {
    const auto other = b.metadata.find(condition.first);
    return other == b.metadata.end() || other->second == condition.second;
  });
}

// Whether `rule` matches all calls to one of the patterns of `later`, judged by methods and
// metadata.
bool TakesAMethod(const RuleConfig& rule, const RuleConfig& later) {
  if (!std::includes(later.metadata.begin(), later.metadata.end(), rule.metadata.begin(),
                     rule.metadata.end())) {
    return false;
  }
  return std::any_of(
      later.methods.begin(), later.methods.end(), [&rule](const MethodPattern& narrow) {
        return std::any_of(
            rule.methods.begin(), rule.methods.end(),
            [&narrow](const MethodPattern& wide) { return PatternCovers(wide, narrow); });
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
  PairLinter(const Config& config, OverflowIds overflow, const std::vector<bool>& unreachable)
      : config_(config), unreachable_(unreachable) {
    who_.reserve(config.rules.size());
    for (const RuleConfig& rule : config.rules) {
      who_.push_back({.users = EffectiveIds(rule.users, rule.action, overflow.uid),
                      .groups = EffectiveIds(rule.groups, rule.action, overflow.gid)});
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
  // Returns the first allow rule after `index` for which `matches` is true.
  template <typename Matches>
  std::optional<size_t> FindAllowAfter(size_t index, const Matches& matches) {
    for (size_t later = index + 1; later < config_.rules.size(); ++later) {
      if (++compared_ > kMostPairs) return std::nullopt;
      const RuleConfig& rule = config_.rules[later];
      if (!rule.enforce || rule.action != Action::kAllow || unreachable_[later]) continue;
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
  bool IsBehind(const RuleConfig& deny, const RuleConfig& allow) const {
    return ListenersMeet(deny, allow) && MetadataMeets(deny, allow) && MethodsMeet(deny, allow);
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
        return !RangesCover(denied.users, FromSubordinateOn(who_[other].users)) &&
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
  std::vector<Who> who_;  // by rule
  size_t compared_ = 0;
  std::vector<ConfigError> warnings_;
};

}  // namespace

std::vector<ConfigError> LintRulePairs(const Config& config, OverflowIds overflow,
                                       const std::vector<bool>& unreachable) {
  return PairLinter(config, overflow, unreachable).Run();
}

}  // namespace proxyd
