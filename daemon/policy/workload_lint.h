// SPDX-License-Identifier: Apache-2.0
//
// Warnings of --check about rules for workloads. Pure; any thread.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/load.h"

namespace proxyd {

// Warns in two cases:
//  - A pattern has `{user}` before an open end, so that the rule also matches the workloads of
//    users with longer names, or `{uid}` or `{gid}` beside a star, so that it also matches those of
//    longer numbers.
//  - An allow rule is only for listeners with one socket for all workloads, and allows no method of
//    a service whose requests name a workload. Every call that it allows would be UNIMPLEMENTED.
std::vector<ConfigError> LintWorkloads(const Config& config);

}  // namespace proxyd
