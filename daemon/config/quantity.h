// SPDX-License-Identifier: Apache-2.0
//
// Durations and sizes as users write them in the configuration: "250ms", "2s", "0"; "64KiB",
// "1000". Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.h"
#include "text/numbers.h"
#include "ttrpc/status.h"

namespace proxyd {

using text::kMaxDuration;

// Reads a whole number with a unit (us, ms, s, m, h), or "0". The message of the INVALID_ARGUMENT
// says what to write instead.
ttrpc::Result<Duration> ParseDuration(std::string_view text);
// ParseDuration() reads the text back as the same duration if that is whole microseconds.
std::string FormatDuration(Duration duration);

// Reads a whole number, alone or with KiB, MiB or GiB. Returns UINT64_MAX for any size that does
// not fit 64 bits. The message of the INVALID_ARGUMENT says what to write instead.
ttrpc::Result<uint64_t> ParseSize(std::string_view text);
// ParseSize() reads the text back as the same size.
std::string FormatSize(uint64_t bytes);

}  // namespace proxyd
