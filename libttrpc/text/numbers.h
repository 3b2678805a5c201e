// SPDX-License-Identifier: Apache-2.0
//
// Numbers as text: whole numbers with a unit, durations and sizes on a command line, counts and
// times in a log line. Pure functions; any thread may call them.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace text {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

// The units of durations (in nanoseconds) and sizes (in bytes), smallest first as the functions
// below expect.
inline constexpr std::array<Unit, 6> kTimeUnits = {{{"ns", 1},
                                                    {"us", 1'000},
                                                    {"ms", 1'000'000},
                                                    {"s", 1'000'000'000},
                                                    {"m", 60'000'000'000},
                                                    {"h", 3'600'000'000'000}}};
inline constexpr std::array<Unit, 4> kSizeUnits = {
    {{"", 1}, {"KiB", uint64_t{1} << 10}, {"MiB", uint64_t{1} << 20}, {"GiB", uint64_t{1} << 30}}};

// The longest duration. Nobody waits longer than a year, and sums of a few such durations do not
// overflow.
inline constexpr std::chrono::nanoseconds kMaxDuration = std::chrono::hours(8760);

// Parses decimal digits followed by one of `units`, without sign, fraction or space. Returns the
// product, or UINT64_MAX if it exceeds 64 bits; none for other text.
std::optional<uint64_t> ParseQuantity(std::string_view text, std::span<const Unit> units);
// Formats `value` in the largest of `units` that leaves no fraction. `value` must be a multiple of
// the first unit.
std::string FormatQuantity(uint64_t value, std::span<const Unit> units);

// Parses a duration like Go's time.ParseDuration, without a sign: `250ms`, `2s`, `1.5s`, `1m30s`;
// units ns, us, ms, s, m, h. Returns INVALID_ARGUMENT if the text is not a duration, or the
// duration is zero or longer than kMaxDuration.
ttrpc::Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);
// Parses a number of bytes: `65536`, `64KiB`, `4MiB`. Returns INVALID_ARGUMENT if the text is not a
// size, or the size is not from 1 to `longest`.
ttrpc::Result<uint32_t> ParseSize(std::string_view text, uint32_t longest);

void AppendNumber(uint64_t number, std::string* out);
// Appends the time in UTC as in RFC 3339, with microseconds: 2024-01-31T23:59:59.000001Z.
void AppendTime(std::chrono::system_clock::time_point time, std::string* out);

}  // namespace text
