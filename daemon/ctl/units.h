// SPDX-License-Identifier: Apache-2.0
//
// Quantities as people read them. No I/O but for the time zone; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace proxyd::ctl {

// `0B`, `512B`, `1.5KiB`, `64MiB`.
std::string HumanBytes(uint64_t bytes);
// `850us`, `1.2ms`, `12s`, `2m05s`, `3h12m`, `5d04h`. Negative counts as zero.
std::string HumanDuration(std::chrono::microseconds duration);

// Of microseconds since 1970, in local time.
std::string HumanTime(int64_t time);  // `2024-01-31 23:59:59 CET`
std::string ClockTime(int64_t time);  // `23:59:59.000001`

}  // namespace proxyd::ctl
