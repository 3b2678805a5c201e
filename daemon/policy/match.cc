// SPDX-License-Identifier: Apache-2.0
#include "policy/match.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "config/ids.h"

namespace proxyd {
namespace {

using Action = RuleConfig::Action;

bool InRanges(const IdSet& set, uint32_t id) {
  return std::any_of(set.ranges.begin(), set.ranges.end(),
                     [id](const IdRange& range) { return range.first <= id && id <= range.last; });
}

bool Contains(const IdSet& set, uint32_t id, uint32_t overflow, Action action) {
  if (std::find(set.exact.begin(), set.exact.end(), id) != set.exact.end()) return true;
  // An allow rule must list the overflow id itself, since it may be any unmapped id. A deny rule
  // treats it as an ordinary number. EffectiveIds() must agree.
  if (action == Action::kAllow && id == overflow) return false;
  return set.any || InRanges(set, id);
}

bool ContainsAnyGroup(const IdSet& set, const Identity& identity, gid_t overflow, Action action) {
  return Contains(set, identity.gid, overflow, action) ||
         std::any_of(identity.groups.begin(), identity.groups.end(),
                     [&](gid_t gid) { return Contains(set, gid, overflow, action); });
}

void AppendWithout(const IdRange& range, std::optional<uint32_t> left_out, IdRanges* out) {
  if (!left_out || *left_out < range.first || *left_out > range.last) {
    out->push_back(range);
    return;
  }
  if (*left_out > range.first) out->push_back({range.first, *left_out - 1});
  if (*left_out < range.last) out->push_back({*left_out + 1, range.last});
}

// Whether some text matches both parts, which have stars. `meets[j]` is true if the characters of
// `a` so far and the first j of `b` can match the same text.
bool StarsMeet(std::string_view a, std::string_view b) {
  std::vector<bool> meets(b.size() + 1);
  meets[0] = true;
  for (size_t j = 0; j < b.size(); ++j) meets[j + 1] = meets[j] && b[j] == '*';
  for (const char c : a) {
    bool diagonal = meets[0];
    meets[0] = diagonal && c == '*';
    for (size_t j = 0; j < b.size(); ++j) {
      const bool above = meets[j + 1];
      // A star ends here, or matches one more character of the other part.
      meets[j + 1] = c == '*' || b[j] == '*' ? above || meets[j] : c == b[j] && diagonal;
      diagonal = above;
    }
  }
  return meets[b.size()];
}

bool PartsMeet(std::string_view a, std::string_view b) {
  if (IsExact(a)) return IsExact(b) ? a == b : MatchPattern(b, a);
  return IsExact(b) ? MatchPattern(a, b) : StarsMeet(a, b);
}

// An empty list of patterns matches any name.
NameMatch MatchAny(const std::vector<NamePattern>& patterns, std::string_view name,
                   const NameSubject& subject) {
  if (patterns.empty()) return NameMatch::kYes;
  NameMatch any = NameMatch::kNo;
  for (const NamePattern& pattern : patterns) {
    const NameMatch match = pattern.Match(name, subject);
    if (match == NameMatch::kYes) return match;
    if (match == NameMatch::kUnknown) any = match;
  }
  return any;
}

// The value of a missing annotation is unknown, so that a condition on it neither holds nor fails.
NameMatch MatchAnnotation(const std::string& key, const NamePattern& pattern,
                          const WorkloadView& workload, const NameSubject& subject) {
  if (workload.annotations == nullptr) return NameMatch::kUnknown;
  const auto found = workload.annotations->find(key);
  if (found == workload.annotations->end()) return NameMatch::kUnknown;
  return pattern.Match(found->second, subject);
}

using NamePatterns = std::span<const NamePattern>;

// Whether `wide` has every pattern of `narrow`, or no condition at all.
bool NamesCover(NamePatterns wide, NamePatterns narrow) {
  if (wide.empty()) return true;
  return !narrow.empty() && std::all_of(narrow.begin(), narrow.end(), [wide](const auto& pattern) {
    return std::find(wide.begin(), wide.end(), pattern) != wide.end();
  });
}

// Whether the text of a pattern is the only name that it matches.
bool IsOneName(const NamePattern& pattern) {
  return pattern.text().find_first_of("*{\\") == std::string::npos;
}

bool NamesMeet(NamePatterns a, NamePatterns b) {
  if (a.empty() || b.empty()) return true;
  return std::any_of(a.begin(), a.end(), [b](const NamePattern& one) {
    return std::any_of(b.begin(), b.end(), [&one](const NamePattern& other) {
      return !IsOneName(one) || !IsOneName(other) || one == other;
    });
  });
}

IdRanges Normalize(IdRanges ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const IdRange& a, const IdRange& b) { return a.first < b.first; });
  IdRanges merged;
  for (const IdRange& range : ranges) {
    if (merged.empty() || range.first > merged.back().last + 1) {
      merged.push_back(range);
    } else {
      merged.back().last = std::max(merged.back().last, range.last);
    }
  }
  return merged;
}

}  // namespace

bool MatchPattern(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  // If the text after the last star does not match, the star takes one more character. Earlier
  // stars need no second try, since the last star can take whatever they could.
  size_t after_star = std::string_view::npos;
  size_t star_end = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      star_end = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (after_star != std::string_view::npos && text[star_end] != '/') {
      p = after_star;
      t = ++star_end;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool MatchMethod(const MethodPattern& pattern, const MethodName& name) {
  return MatchPattern(pattern.service, name.service) && MatchPattern(pattern.method, name.method);
}

bool MatchesAll(std::string_view pattern) {
  return !pattern.empty() && pattern.find_first_not_of('*') == std::string_view::npos;
}

bool IsExact(std::string_view pattern) { return pattern.find('*') == std::string_view::npos; }

// `narrow` is matched as text. Only a star of `wide` matches a star in it, and that star also
// matches any text in its place.
bool PatternCovers(const MethodPattern& wide, const MethodPattern& narrow) {
  return MatchPattern(wide.service, narrow.service) && MatchPattern(wide.method, narrow.method);
}

bool PatternsMeet(const MethodPattern& a, const MethodPattern& b) {
  return PartsMeet(a.service, b.service) && PartsMeet(a.method, b.method);
}

std::string FullName(const MethodPattern& pattern) {
  return pattern.service + "/" + pattern.method;
}

bool FitsIdentity(const RuleConfig& rule, const Identity& identity, OverflowIds overflow) {
  if (!rule.users && !rule.groups) return rule.action == Action::kDeny;
  if (rule.users && !Contains(*rule.users, identity.uid, overflow.uid, rule.action)) return false;
  return !rule.groups || ContainsAnyGroup(*rule.groups, identity, overflow.gid, rule.action);
}

IdRanges EffectiveIds(const std::optional<IdSet>& ids, Action action, uint32_t overflow) {
  constexpr IdRange kAll = {0, kMaxId};
  if (!ids) return {kAll};
  std::optional<uint32_t> left_out;
  if (action == Action::kAllow) left_out = overflow;
  IdRanges ranges;
  if (ids->any) AppendWithout(kAll, left_out, &ranges);
  for (const IdRange& range : ids->ranges) AppendWithout(range, left_out, &ranges);
  for (const uint32_t id : ids->exact) ranges.push_back({id, id});
  return Normalize(std::move(ranges));
}

bool RangesCover(const IdRanges& wide, const IdRanges& narrow) {
  return std::all_of(narrow.begin(), narrow.end(), [&wide](const IdRange& range) {
    const auto after =
        std::upper_bound(wide.begin(), wide.end(), range.first,
                         [](uint32_t id, const IdRange& holder) { return id < holder.first; });
    return after != wide.begin() && range.last <= std::prev(after)->last;
  });
}

bool RangesMeet(const IdRanges& a, const IdRanges& b) {
  auto i = a.begin();
  auto j = b.begin();
  while (i != a.end() && j != b.end()) {
    if (i->last < j->first) {
      ++i;
    } else if (j->last < i->first) {
      ++j;
    } else {
      return true;
    }
  }
  return false;
}

NameMatch MatchWorkload(const RuleConfig& rule, const WorkloadView& workload,
                        const NameSubject& subject) {
  NameMatch all = NameMatch::kYes;
  const auto add = [&all](NameMatch condition) {
    if (condition == NameMatch::kNo || all == NameMatch::kYes) all = condition;
  };
  add(MatchAny(rule.namespaces, workload.name_space, subject));
  if (all != NameMatch::kNo) add(MatchAny(rule.ids, workload.id, subject));
  for (const auto& [key, pattern] : rule.annotations) {
    if (all == NameMatch::kNo) break;
    add(MatchAnnotation(key, pattern, workload, subject));
  }
  return all;
}

bool FitsWorkload(const RuleConfig& rule, const WorkloadView* workload,
                  const NameSubject& subject) {
  if (!rule.HasWorkloadConditions()) return true;
  const NameMatch match =
      workload != nullptr ? MatchWorkload(rule, *workload, subject) : NameMatch::kUnknown;
  return rule.action == Action::kAllow ? match == NameMatch::kYes : match != NameMatch::kNo;
}

bool NeedsUserName(const RuleConfig& rule) {
  const auto needs_user = [](const NamePattern& pattern) { return pattern.needs_user(); };
  return std::any_of(rule.namespaces.begin(), rule.namespaces.end(), needs_user) ||
         std::any_of(rule.ids.begin(), rule.ids.end(), needs_user) ||
         std::any_of(rule.annotations.begin(), rule.annotations.end(),
                     [](const auto& annotation) { return annotation.second.needs_user(); });
}

bool WorkloadsCover(const RuleConfig& wide, const RuleConfig& narrow) {
  return NamesCover(wide.namespaces, narrow.namespaces) && NamesCover(wide.ids, narrow.ids) &&
         std::all_of(wide.annotations.begin(), wide.annotations.end(), [&](const auto& condition) {
           const auto other = narrow.annotations.find(condition.first);
           return other != narrow.annotations.end() && other->second == condition.second;
         });
}

bool WorkloadsMeet(const RuleConfig& a, const RuleConfig& b) {
  return NamesMeet(a.namespaces, b.namespaces) && NamesMeet(a.ids, b.ids) &&
         std::all_of(a.annotations.begin(), a.annotations.end(), [&b](const auto& condition) {
           const auto other = b.annotations.find(condition.first);
           return other == b.annotations.end() ||
                  NamesMeet({&condition.second, 1}, {&other->second, 1});
         });
}

bool MetadataHolds(const RuleConfig& rule, std::span<const ttrpc::MetadataEntry> metadata) {
  return std::all_of(rule.metadata.begin(), rule.metadata.end(), [&](const auto& condition) {
    const ttrpc::MetadataEntry wanted{condition.first, condition.second};
    return std::find(metadata.begin(), metadata.end(), wanted) != metadata.end();
  });
}

}  // namespace proxyd
