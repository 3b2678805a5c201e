// SPDX-License-Identifier: Apache-2.0
//
// The directory that the service manager made for the daemon while it runs: what the daemon leaves
// there for the next start, or for its users. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "config/reload_verdict.h"

namespace proxyd {

// `name` in the first directory of $RUNTIME_DIRECTORY, or empty if the service manager has made
// none.
std::string InRuntimeFolder(std::string_view name);

// Puts a new file in the place of `path`, whole or not at all, mode 0600; logs a failure. Does
// nothing if `path` is empty. Blocks.
void WriteVerdict(const std::string& path, const ReloadVerdict& verdict);
// Removes it at the daemon's end, when nobody waits for it any more, and before a start.
void RemoveVerdict(const std::string& path);

}  // namespace proxyd
