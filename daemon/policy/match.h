// SPDX-License-Identifier: Apache-2.0
//
// Answers for one rule by itself: whom and what it matches, and whether that includes all that
// another rule matches. Nothing else decides what a pattern or an id matches; the index of
// policy.h only leaves out rules that could not match. These are pure functions over values, for
// any thread. policy.h says which rule decides.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/rpc_names.h"
#include "policy/policy.h"
#include "ttrpc/metadata.h"

namespace proxyd {

// Patterns.

// True if `pattern`, one part of a method pattern, matches the whole of `text`. `*` matches any run
// of characters but `/`, also an empty one. The cost is at worst the product of the lengths, and
// usually their sum.
bool MatchPattern(std::string_view pattern, std::string_view text);

bool MatchMethod(const MethodPattern& pattern, const MethodName& name);

// Whether a part matches every text, and whether it matches no text but itself.
bool MatchesAll(std::string_view pattern);
bool IsExact(std::string_view pattern);

// Whether `wide` matches whatever `narrow` matches. The answer is exact as long as there is a
// character, other than `/`, that `wide` does not have; else a no may be wrong, but never a yes.
bool PatternCovers(const MethodPattern& wide, const MethodPattern& narrow);

// Whether some method matches both. The cost is that of MatchPattern(), and where both have stars,
// the product of the lengths.
bool PatternsMeet(const MethodPattern& a, const MethodPattern& b);

// SERVICE/METHOD. What covers a pattern also covers it in this form, since `*` matches no slash.
std::string FullName(const MethodPattern& pattern);

// Users and groups.

// Whether the rule's users and groups fit the identity (both, where both are given). An allow rule
// that names nobody fits nobody; a deny rule that names nobody fits everyone. An allow rule matches
// the overflow ids only where they are written out.
bool FitsIdentity(const RuleConfig& rule, const Identity& identity, OverflowIds overflow);

// Sorted, and no two of them touch, so that a range is covered only if one element holds all of it.
using IdRanges = std::vector<IdRange>;

// The ids that `users` or `groups` of a rule with this action match, for the same overflow id; all
// ids where the rule has none.
IdRanges EffectiveIds(const std::optional<IdSet>& ids, RuleConfig::Action action,
                      uint32_t overflow);

// Whether `wide` holds each id that `narrow` holds.
bool RangesCover(const IdRanges& wide, const IdRanges& narrow);

// Whether some id is in both.
bool RangesMeet(const IdRanges& a, const IdRanges& b);

// Metadata.

// Whether each of the rule's metadata conditions is an entry, exactly.
bool MetadataHolds(const RuleConfig& rule, std::span<const ttrpc::MetadataEntry> metadata);

}  // namespace proxyd
