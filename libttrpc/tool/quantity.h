// SPDX-License-Identifier: Apache-2.0
//
// Durations and sizes as they stand on a command line. No I/O; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc::tool {

// As Go's time.ParseDuration reads them, without a sign: `250ms`, `2s`, `1.5s`, `1m30s`; units ns,
// us, ms, s, m, h. INVALID_ARGUMENT: it is none, is zero, or longer than 8760h.
Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);

// Bytes: `65536`, `64KiB`, `4MiB`. INVALID_ARGUMENT: it is none, or not from 1 to `longest`.
Result<uint32_t> ParseSize(std::string_view text, uint32_t longest);

}  // namespace ttrpc::tool
