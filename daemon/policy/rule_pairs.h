// SPDX-License-Identifier: Apache-2.0
//
// Warnings of --check about two rules, one of which defeats the purpose of the other. Pure; any
// thread.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "policy/policy.h"

namespace proxyd {

// Warns in two cases:
//  - A rule without `listeners` sends calls to one backend, before a later rule that names the
//    listener can send them to another.
//  - A deny rule denies by a group or a uid that a client can drop, and a later rule then allows
//    that client.
// The number of comparisons is limited, so that very many rules are still read in time; pairs
// beyond the limit get no warning. `unreachable` says for each rule whether it can never match,
// which has a warning of its own.
std::vector<ConfigError> LintRulePairs(const Config& config, OverflowIds overflow,
                                       const std::vector<bool>& unreachable);

}  // namespace proxyd
