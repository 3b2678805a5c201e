// SPDX-License-Identifier: Apache-2.0
//
// Durations and sizes as the configuration writes them: "250ms", "2s", "0"; "64KiB", "1000". Pure;
// any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.h"
#include "text/numbers.h"
#include "ttrpc/status.h"

namespace proxyd {

using text::kMaxDuration;

// A whole number with a unit (us, ms, s, m, h), or "0". INVALID_ARGUMENT: what was expected.
ttrpc::Result<Duration> ParseDuration(std::string_view text);
// ParseDuration() reads it back the same if it is a whole number of microseconds.
std::string FormatDuration(Duration duration);

// A whole number, alone or with KiB, MiB or GiB. INVALID_ARGUMENT: what was expected.
// UINT64_MAX stands for all that 64 bits do not hold.
ttrpc::Result<uint64_t> ParseSize(std::string_view text);
// ParseSize() reads it back the same.
std::string FormatSize(uint64_t bytes);

}  // namespace proxyd
