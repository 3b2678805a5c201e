// SPDX-License-Identifier: Apache-2.0
//
// Quantities in units for people. The only I/O is reading the time zone. Any thread may call these.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace proxyd::ctl {

// `0B`, `512B`, `1.5KiB`, `64MiB`.
std::string HumanBytes(uint64_t bytes);
// `850us`, `1.2ms`, `12s`, `2m05s`, `3h12m`, `5d04h`. Negative durations are shown as zero.
std::string HumanDuration(std::chrono::microseconds duration);

// These take microseconds since 1970 and return local time.
std::string HumanTime(int64_t time);  // `2024-01-31 23:59:59 CET`
std::string ClockTime(int64_t time);  // `23:59:59.000001`

}  // namespace proxyd::ctl
