// SPDX-License-Identifier: Apache-2.0
//
// Warnings of --check about two rules that do not do together what each seems to say. Pure; any
// thread.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "policy/policy.h"

namespace proxyd {

// A rule without `listeners` that leads calls on a listener to another backend than a later rule,
// which names that listener; and a deny rule whose clients can drop what it denies them by, a group
// or a uid, and are then allowed by a later rule.
//
// Pairs of rules are compared up to a limit, so that a configuration of very many rules is still
// read in time; pairs beyond it are not warned about. `unreachable`: by rule, whether it can never
// match, which has a warning of its own.
std::vector<ConfigError> LintRulePairs(const Config& config, OverflowIds overflow,
                                       const std::vector<bool>& unreachable);

}  // namespace proxyd
