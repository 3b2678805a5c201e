// SPDX-License-Identifier: Apache-2.0
//
// Differences: what a reload changes, in a line for the log. Pure; any thread.
#pragma once

#include <string>

#include "config/config.h"

namespace proxyd {

// `2 rules changed, listener "x" removed, [limits] changed`, or `nothing changed`. Rules, listeners
// and backends are compared by name, as PrintConfig() prints them.
std::string Differences(const Config& before, const Config& after);

}  // namespace proxyd
