// SPDX-License-Identifier: Apache-2.0
//
// What one rule says, taken by itself: whom it fits, what it covers, whether its metadata holds.
// Pure functions over values; any thread. policy.h says which rule decides.
#pragma once

#include <span>
#include <string_view>

#include "config/config.h"
#include "policy/policy.h"
#include "ttrpc/metadata.h"

namespace proxyd {

// Whether the rule's users and groups fit the identity (both, where both are given). An allow rule
// that names nobody fits nobody; a deny rule that names nobody fits everyone. In an allow rule the
// overflow ids are matched only where they are written out.
bool FitsIdentity(const RuleConfig& rule, const Identity& identity, OverflowIds overflow);

// A service or method pattern that matches everything.
bool MatchesAll(std::string_view pattern);
bool IsExact(std::string_view pattern);

// Each of the rule's metadata conditions is an entry, exactly.
bool MetadataHolds(const RuleConfig& rule, std::span<const ttrpc::MetadataEntry> metadata);

// Whether `cover` matches every method that `pattern` does. Never wrongly true.
bool PatternCovers(const MethodPattern& cover, const MethodPattern& pattern);

// Whether `deny` matches every request that `allow` matches by `pattern`, one of its methods. Never
// wrongly true.
bool DenyCovers(const RuleConfig& deny, const RuleConfig& allow, const MethodPattern& pattern);

}  // namespace proxyd
