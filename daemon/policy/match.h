// SPDX-License-Identifier: Apache-2.0
//
// Answers questions about single rules: which users and methods a rule matches, and whether it
// matches everything that another rule matches. Only this code decides what a pattern or an id
// matches; the index of policy.h just skips rules that could not match. policy.h decides which rule
// applies. Pure functions over values; any thread.
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

// True if `pattern`, one part of a method pattern, matches all of `text`. `*` matches any run of
// characters except `/`, and also an empty run. The cost is usually the sum of the lengths, and at
// worst their product.
bool MatchPattern(std::string_view pattern, std::string_view text);

bool MatchMethod(const MethodPattern& pattern, const MethodName& name);

// Whether a part matches every text, and whether it matches no text but itself.
bool MatchesAll(std::string_view pattern);
bool IsExact(std::string_view pattern);

// Whether `wide` matches everything that `narrow` matches. The answer is exact if there is a
// character, other than `/`, that `wide` does not contain. Otherwise false may be wrong, but true
// is always right.
bool PatternCovers(const MethodPattern& wide, const MethodPattern& narrow);

// Whether some method matches both. The cost is that of MatchPattern(); if both have stars, it is
// the product of the lengths.
bool PatternsMeet(const MethodPattern& a, const MethodPattern& b);

// Returns SERVICE/METHOD. A pattern that covers another one also covers it in this form, since `*`
// matches no slash.
std::string FullName(const MethodPattern& pattern);

// Whether the users and groups of the rule match the identity; if the rule has both, both must
// match. Without either, an allow rule matches nobody and a deny rule matches everyone. An allow
// rule matches an overflow id only if it lists that id itself.
bool FitsIdentity(const RuleConfig& rule, const Identity& identity, OverflowIds overflow);

// Sorted ranges that neither overlap nor touch, so that one element contains any covered range.
using IdRanges = std::vector<IdRange>;

// The ids that `users` or `groups` of a rule with this action match. These are all ids if the rule
// does not have the key.
IdRanges EffectiveIds(const std::optional<IdSet>& ids, RuleConfig::Action action,
                      uint32_t overflow);

// Whether `wide` contains every id of `narrow`.
bool RangesCover(const IdRanges& wide, const IdRanges& narrow);

// Whether some id is in both.
bool RangesMeet(const IdRanges& a, const IdRanges& b);

// Compares the rule's conditions on workloads with one workload. kNo: one of them fails. kUnknown:
// none fails, but one cannot be answered, since a placeholder has no value or the workload has no
// such annotation. Allocates nothing.
NameMatch MatchWorkload(const RuleConfig& rule, const WorkloadView& workload,
                        const NameSubject& subject);

// Whether the rule's conditions on workloads let it decide a call: for an allow rule all must hold,
// for a deny rule none may fail. Without a workload (null) none holds and none fails.
bool FitsWorkload(const RuleConfig& rule, const WorkloadView* workload, const NameSubject& subject);

// Whether a condition on workloads has `{user}`.
bool NeedsUserName(const RuleConfig& rule);

// Whether every workload that meets the conditions of `narrow` also meets those of `wide`. False
// may be wrong, but true is always right.
bool WorkloadsCover(const RuleConfig& wide, const RuleConfig& narrow);

// Whether some workload meets the conditions of both rules. True may be wrong, but false is always
// right.
bool WorkloadsMeet(const RuleConfig& a, const RuleConfig& b);

// Whether each metadata condition of the rule is exactly equal to an entry.
bool MetadataHolds(const RuleConfig& rule, std::span<const ttrpc::MetadataEntry> metadata);

}  // namespace proxyd
