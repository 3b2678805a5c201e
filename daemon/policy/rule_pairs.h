// SPDX-License-Identifier: Apache-2.0
//
// Warnings of --check about two rules, one of which defeats the purpose of the other. Pure; any
// thread.
#pragma once

#include <cstddef>
#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "policy/policy.h"

namespace proxyd {

// The limit on steps. A step compares two rules without their methods, or two method patterns, and
// usually takes much less than a microsecond. Long patterns and lists of ids take several steps.
inline constexpr size_t kMostPairSteps = 10'000'000;

// Warns in two cases:
//  - A rule without `listeners` sends calls to one backend, before a later rule that names the
//    listener can send them to another.
//  - A deny rule denies by a group or a uid that a client can drop, and a later rule then allows
//    that client.
// The number of steps is limited, so that very many rules or methods are still read in time; pairs
// of rules beyond the limit get no warning. `unreachable` says for each rule whether it can never
// match, which has a warning of its own.
std::vector<ConfigError> LintRulePairs(const Config& config, OverflowIds overflow,
                                       const std::vector<bool>& unreachable,
                                       size_t most_steps = kMostPairSteps);

}  // namespace proxyd
