// SPDX-License-Identifier: Apache-2.0
//
// Places: the files and the sockets at paths that a configuration names. Two of them must not be at
// one place, however each path is spelled. A user who may write a place or its directory can change
// what the daemon writes there, or keep it from starting. Reads the file system; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/load.h"

namespace proxyd {

struct Place {
  SourcePosition position;
  std::string label;  // `[log] target file:/x`, `listener "a" unix:///x`
  std::string path;
  bool is_socket = false;
};

// Returns the files of the log and the audit first, then the sockets.
std::vector<Place> PlacesOf(const Config& config);

// Returns an error for each place that an earlier one has already, also under another name. Devices
// and pipes may be shared.
std::vector<ConfigError> CheckPlaces(const Config& config);

// Returns warnings about places that other users may change, and about a missing journald.
std::vector<ConfigError> LintPlaces(const Config& config);

}  // namespace proxyd
