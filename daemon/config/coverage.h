// SPDX-License-Identifier: Apache-2.0
//
// Whether what one rule matches includes what another matches. Used for warnings only: a yes is
// certain, a no may be ignorance. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace proxyd {

// One side of a comparison: `users` or `groups` of a rule with this action.
struct WhoSide {
  const std::optional<IdSet>& ids;  // none: whoever it is
  RuleConfig::Action action;
};

// Sorted, and no two touch, so that a range is covered only if one element holds all of it.
using IdRanges = std::vector<IdRange>;

// What a side really matches. `overflow` is what ranges and "*" of an allow rule leave out.
IdRanges EffectiveIds(const WhoSide& side, uint32_t overflow);

bool CoversRanges(const IdRanges& wide, const IdRanges& narrow);

// True if whoever `narrow` matches, `wide` matches too.
bool CoversIds(const WhoSide& wide, const WhoSide& narrow, uint32_t overflow);

// True if all that `narrow` matches, `wide` matches too; `*` is any run of characters.
bool CoversGlob(std::string_view wide, std::string_view narrow);

bool CoversPattern(const MethodPattern& wide, const MethodPattern& narrow);

}  // namespace proxyd
