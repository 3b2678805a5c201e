// SPDX-License-Identifier: Apache-2.0
//
// Reach: whether this process may use, with the rights that it has now, the files, directories and
// backends of a configuration. Looks at the file system; any thread.
#pragma once

#include <string>

#include "config/config.h"

namespace proxyd {

enum class Missing {
  kIsReached,     // whoever makes it later is expected to let us in
  kIsNotReached,  // it is not known yet
};

// False if permissions keep us from the log's or the audit's file, from a directory of our sockets,
// from the configuration, or from a backend's socket. `missing`: of such sockets.
bool Reaches(const Config& config, const std::string& config_path, Missing missing);

// False if permissions keep us from connecting to a socket that is already where one of ours will
// be. Such a socket may be left over from another configuration, with another owner. Only a start
// may ask, since the sockets that a running daemon finds there are its own.
bool ReachesOldSockets(const Config& config);

}  // namespace proxyd
