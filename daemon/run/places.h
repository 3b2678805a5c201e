// SPDX-License-Identifier: Apache-2.0
//
// Places: the files, the sockets and the directories of workloads that a configuration names. Two
// files or sockets must not be at one place, and no socket in the directory of another listener's
// fronts, however each path is spelled. A user who may write a place or its directory can change
// what the daemon writes or finds there, or keep it from starting. Reads the file system; any
// thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/load.h"

namespace proxyd {

struct Place {
  enum class Kind {
    kFile,
    kSocket,
    kFronts,  // the directory of the sockets of workloads
    kSource,  // a directory where workloads are found
  };
  SourcePosition position;
  std::string label;  // `[log] target file:/x`, `listener "a" unix:///x`
  std::string path;
  Kind kind = Kind::kFile;
};

// Returns the files of the log and the audit first, then what the listeners have, then the sockets
// of [admin] and [metrics].
std::vector<Place> PlacesOf(const Config& config);

// Returns an error for each file, socket or directory of fronts that is where an earlier one is
// already, also under another name, and for each that is below a directory of fronts. Devices and
// pipes may be shared, and so may sources.
std::vector<ConfigError> CheckPlaces(const Config& config);

// Returns warnings about places that other users may change, and about a missing journald.
std::vector<ConfigError> LintPlaces(const Config& config);

}  // namespace proxyd
