// SPDX-License-Identifier: Apache-2.0
//
// The backend of the soak test, in a process of its own. It answers each call as the call's Ask
// demands, after comparing every message with the one that a client sends. Now and then it cuts a
// connection, or does not read one for a while. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "soak/board.h"
#include "soak/content.h"

namespace soak {

struct BackendOptions {
  BackendKind kind = BackendKind::kClosing;
  std::vector<std::string> sockets;  // the backend listens on all of them
  uint64_t seed = 0;
  bool checks_uid = false;  // the daemon adds the uid to requests
};

// Runs until it is killed.
[[noreturn]] void RunBackend(const BackendOptions& options, Board& board, const Content& content);

}  // namespace soak
