// SPDX-License-Identifier: Apache-2.0
//
// Durations as the configuration writes them: "250ms", "2s", "5m", "0". Pure; any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "config/config.h"
#include "ttrpc/status.h"

namespace proxyd {

// So that a clock's reading plus a few durations stays far from the end of 64 bits of nanoseconds.
inline constexpr Duration kMaxDuration = std::chrono::hours(8760);

// A whole number with a unit (us, ms, s, m, h), or "0". INVALID_ARGUMENT: what was expected.
ttrpc::Result<Duration> ParseDuration(std::string_view text);

// ParseDuration() reads it back the same if it is a whole number of microseconds.
std::string FormatDuration(Duration duration);

}  // namespace proxyd
