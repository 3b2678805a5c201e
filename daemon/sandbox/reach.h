// SPDX-License-Identifier: Apache-2.0
//
// Reach: whether the rights that this process has now are enough for the files, directories and
// backends of a configuration. Reads the file system; any thread.
#pragma once

#include <string>

#include "config/config.h"

namespace proxyd {

// How to count a backend's socket that does not exist yet.
enum class Missing {
  kIsReached,     // its permissions are expected to let the daemon in
  kIsNotReached,  // its permissions are not known yet
};

// Returns false if permissions deny this process the log's or the audit's file, a directory of its
// own sockets or of workloads, the configuration, or a backend's socket.
bool Reaches(const Config& config, const std::string& config_path, Missing missing);

// False if permissions keep us from connecting to a socket that is already where one of ours will
// be. Such a socket may be left over from another configuration, with another owner. Only a start
// may ask, since the sockets that a running daemon finds there are its own.
bool ReachesOldSockets(const Config& config);

}  // namespace proxyd
