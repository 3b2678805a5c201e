// SPDX-License-Identifier: Apache-2.0
//
// Differences: describes on one line, for the log, what a reload changes. Pure; any thread.
#pragma once

#include <string>

#include "config/config.h"

namespace proxyd {

// Returns `2 rules changed, listener "x" removed, [limits] changed`, or `nothing changed`. Rules,
// listeners and backends of the same name are compared as PrintConfig() prints them.
std::string Differences(const Config& before, const Config& after);

}  // namespace proxyd
