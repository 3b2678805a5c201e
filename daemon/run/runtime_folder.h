// SPDX-License-Identifier: Apache-2.0
//
// The directory that the service manager makes for the running daemon. The daemon writes small
// files there for its next start or for its users. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "config/reload_verdict.h"

namespace proxyd {

// Returns the path of `name` in the first directory of $RUNTIME_DIRECTORY, or an empty path if the
// service manager has made no such directory.
std::string InRuntimeFolder(std::string_view name);

// Replaces the file at `path` by a complete new one of mode 0600, or logs why it cannot. Does
// nothing if `path` is empty. Blocks.
void WriteVerdict(const std::string& path, const ReloadVerdict& verdict);
// Removes the file when the daemon ends, since no caller waits for it any more.
void RemoveVerdict(const std::string& path);

}  // namespace proxyd
