// SPDX-License-Identifier: Apache-2.0
//
// What the daemon prints on stderr about its configuration, before there is a log: errors, and the
// warnings of --check. Looks at the file system; the main thread.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "run/path_checks.h"

namespace proxyd {

// Each on a line of its own.
void ReportErrors(const std::vector<ConfigError>& errors);

// The errors of CheckPaths() and their remedy. Returns the exit status.
int ReportPaths(const Config& config, PathsFor purpose);

// What --check prints about a configuration that was loaded. Returns the exit status.
int ReportChecks(const Config& config);

}  // namespace proxyd
