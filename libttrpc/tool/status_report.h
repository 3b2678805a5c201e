// SPDX-License-Identifier: Apache-2.0
//
// How a call's end is told: in words or as JSON, and by the exit status. No I/O; any thread.
#pragma once

#include <string>

#include "json_codec.h"
#include "ttrpc/status.h"

namespace ttrpc::tool {

// Beside EX_USAGE (64), EX_DATAERR (65), EX_UNAVAILABLE (69) and EX_IOERR (74).
constexpr int kExitOfStatus = 100;

// 0 if OK, else kExitOfStatus and the code; a code that is none of ttrpc's counts as UNKNOWN.
int ExitStatus(StatusCode code);

// `CODE: message`, and a line for each detail.
std::string StatusAsText(const Status& status, JsonCodec* codec);

// `{"code": 5, "status": "NOT_FOUND", "message": "…", "details": […]}` over several lines; details
// stand there if there are any.
std::string StatusAsJson(const Status& status, JsonCodec* codec);

}  // namespace ttrpc::tool
