// SPDX-License-Identifier: Apache-2.0
#include "policy/match.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace proxyd {
namespace {

using Action = RuleConfig::Action;

bool InRanges(const IdSet& set, uint32_t id) {
  return std::any_of(set.ranges.begin(), set.ranges.end(),
                     [id](const IdRange& range) { return range.first <= id && id <= range.last; });
}

bool Contains(const IdSet& set, uint32_t id, uint32_t overflow, Action action) {
  if (std::find(set.exact.begin(), set.exact.end(), id) != set.exact.end()) return true;
  // Behind the overflow id stands an unknown id: nothing that is not written out may let it in,
  // while a deny rule takes it for the number that it shows as.
  if (action == Action::kAllow && id == overflow) return false;
  return set.any || InRanges(set, id);
}

bool ContainsAnyGroup(const IdSet& set, const Identity& identity, gid_t overflow, Action action) {
  return Contains(set, identity.gid, overflow, action) ||
         std::any_of(identity.groups.begin(), identity.groups.end(),
                     [&](gid_t gid) { return Contains(set, gid, overflow, action); });
}

}  // namespace

bool FitsIdentity(const RuleConfig& rule, const Identity& identity, OverflowIds overflow) {
  if (!rule.users && !rule.groups) return rule.action == Action::kDeny;
  if (rule.users && !Contains(*rule.users, identity.uid, overflow.uid, rule.action)) return false;
  return !rule.groups || ContainsAnyGroup(*rule.groups, identity, overflow.gid, rule.action);
}

bool MatchPattern(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  // Where to go on if what follows the last star does not match: one more character to the star.
  // Going back further cannot help, since the last star can take whatever an earlier one could.
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

bool MatchesAll(std::string_view pattern) {
  return !pattern.empty() && pattern.find_first_not_of('*') == std::string_view::npos;
}

bool IsExact(std::string_view pattern) { return pattern.find('*') == std::string_view::npos; }

bool MetadataHolds(const RuleConfig& rule, std::span<const ttrpc::MetadataEntry> metadata) {
  return std::all_of(rule.metadata.begin(), rule.metadata.end(), [&](const auto& condition) {
    const ttrpc::MetadataEntry wanted{condition.first, condition.second};
    return std::find(metadata.begin(), metadata.end(), wanted) != metadata.end();
  });
}

// A pattern read as text: only a star of the cover can take a star of the pattern, and it takes
// whatever stands there just as well.
bool PatternCovers(const MethodPattern& cover, const MethodPattern& pattern) {
  return MatchPattern(cover.service, pattern.service) && MatchPattern(cover.method, pattern.method);
}

bool DenyCovers(const RuleConfig& deny, const RuleConfig& allow, const MethodPattern& pattern) {
  // Both are ordered by key, as maps are.
  if (!std::includes(allow.metadata.begin(), allow.metadata.end(), deny.metadata.begin(),
                     deny.metadata.end())) {
    return false;
  }
  if (deny.methods.empty()) return true;
  return std::any_of(deny.methods.begin(), deny.methods.end(),
                     [&](const MethodPattern& cover) { return PatternCovers(cover, pattern); });
}

}  // namespace proxyd
