// SPDX-License-Identifier: Apache-2.0
//
// The backend of the soak test, a process of its own: answers each call as its Ask says, after it
// has held every message against what a client sends; now and then cuts a connection, or does not
// read one for a while. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "soak/board.h"
#include "soak/content.h"

namespace soak {

struct BackendOptions {
  BackendKind kind = BackendKind::kClosing;
  std::vector<std::string> sockets;  // all of them are listened on
  uint64_t seed = 0;
  bool checks_uid = false;  // the daemon forwards it
};

// Until it is killed.
[[noreturn]] void RunBackend(const BackendOptions& options, Board& board, const Content& content);

}  // namespace soak
