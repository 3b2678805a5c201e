// SPDX-License-Identifier: Apache-2.0
//
// Reports the end of a call: as text or JSON, and as the exit status. No I/O; any thread.
#pragma once

#include <string>

#include "json_codec.h"
#include "ttrpc/status.h"

namespace ttrpc::tool {

// The base for status codes, above EX_USAGE (64), EX_DATAERR (65), EX_UNAVAILABLE (69) and EX_IOERR
// (74).
constexpr int kExitOfStatus = 100;

// Returns 0 if OK, otherwise kExitOfStatus + code. An unknown code counts as UNKNOWN.
int ExitStatus(StatusCode code);

// Returns `CODE: message` and one line for each detail.
std::string StatusAsText(const Status& status, JsonCodec* codec);

// Returns `{"code": 5, "status": "NOT_FOUND", "message": "…", "details": […]}` on several lines.
// `details` is left out if there are none.
std::string StatusAsJson(const Status& status, JsonCodec* codec);

}  // namespace ttrpc::tool
