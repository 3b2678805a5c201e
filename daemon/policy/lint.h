// SPDX-License-Identifier: Apache-2.0
//
// Lint: what is correct in a configuration and yet hardly meant. Pure; any thread.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "policy/policy.h"

namespace proxyd {

// The warnings of --check: a rule that can never match since others before it always do, a backend
// that no rule uses, a listener on which no allow rule admits anyone, overflow ids that an allow
// rule writes out, ranges that leave them out, an audit that clients can make grow, rules that do
// not do together what each seems to say (rule_pairs.h), and so on.
std::vector<ConfigError> Lint(const Config& config, OverflowIds overflow);

}  // namespace proxyd
