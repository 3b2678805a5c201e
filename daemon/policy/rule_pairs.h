// SPDX-License-Identifier: Apache-2.0
//
// Warnings of --check about two rules that do not do together what each seems to say. Pure; any
// thread.
#pragma once

#include <cstddef>
#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "policy/policy.h"

namespace proxyd {

// A step compares two rules but for their methods, or two patterns of them, and takes well below a
// microsecond, as a rule. Long patterns and lists of ids count as several.
inline constexpr size_t kMostPairSteps = 10'000'000;

// A rule without `listeners` that leads calls on a listener to another backend than a later rule,
// which names that listener; and a deny rule whose clients can drop what it denies them by, a group
// or a uid, and are then allowed by a later rule.
//
// Rules are compared up to a limit, so that a configuration of very many rules or methods is still
// read in time; pairs of rules beyond it are not warned about. `unreachable`: by rule, whether it
// can never match, which has a warning of its own.
std::vector<ConfigError> LintRulePairs(const Config& config, OverflowIds overflow,
                                       const std::vector<bool>& unreachable,
                                       size_t most_steps = kMostPairSteps);

}  // namespace proxyd
