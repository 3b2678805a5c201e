// SPDX-License-Identifier: Apache-2.0
//
// Warnings of --check about rules for containerd's Task service. The service has two versions with
// the same methods: v2 with containerd 1.x, Kata and others, v3 with the shim of containerd 2.x. A
// rule for one of them matches nothing on a machine that uses the other. Pure; any thread.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/load.h"

namespace proxyd {

// Warns of each rule that names a method of one version that no rule names in the other. A pattern
// names the methods that it matches, unless its service is only stars: such a pattern is for every
// service, and a rule with it is no substitute for a rule about containerd.
std::vector<ConfigError> LintTaskTwins(const Config& config);

}  // namespace proxyd
