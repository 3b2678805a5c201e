// SPDX-License-Identifier: Apache-2.0
//
// Lint: finds parts of a configuration that are valid but probably a mistake. Pure; any thread.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "policy/policy.h"

namespace proxyd {

// Returns the warnings of --check. Examples are a rule that can never match because of earlier
// rules, a backend that no rule uses, a listener that admits nobody, an allow rule for an overflow
// id, an audit that clients can make grow without limit, pairs of rules that conflict
// (rule_pairs.h), and rules for one version of containerd's Task service alone (task_twins.h).
std::vector<ConfigError> Lint(const Config& config, OverflowIds overflow);

}  // namespace proxyd
