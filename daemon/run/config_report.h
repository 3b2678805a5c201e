// SPDX-License-Identifier: Apache-2.0
//
// Prints errors in the configuration, and the warnings of --check, on standard error while there is
// no log yet. Reads the file system. On the main thread.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "run/path_checks.h"

namespace proxyd {

// Prints each error on a line of its own.
void ReportErrors(const std::vector<ConfigError>& errors);

// Prints the errors of CheckPaths() and what to do about them. Returns the exit status.
int ReportPaths(const Config& config, PathsFor purpose);

// Prints what --check finds in a configuration that was loaded. Returns the exit status.
int ReportChecks(const Config& config);

}  // namespace proxyd
