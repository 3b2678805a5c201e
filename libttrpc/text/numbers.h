// SPDX-License-Identifier: Apache-2.0
//
// Numbers as text: whole numbers with a unit, durations and sizes on a command line, counts and
// times in a line of a log. Pure; any thread.
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

// Nanoseconds and bytes. Smallest first, as the functions below expect them.
inline constexpr std::array<Unit, 6> kTimeUnits = {{{"ns", 1},
                                                    {"us", 1'000},
                                                    {"ms", 1'000'000},
                                                    {"s", 1'000'000'000},
                                                    {"m", 60'000'000'000},
                                                    {"h", 3'600'000'000'000}}};
inline constexpr std::array<Unit, 4> kSizeUnits = {
    {{"", 1}, {"KiB", uint64_t{1} << 10}, {"MiB", uint64_t{1} << 20}, {"GiB", uint64_t{1} << 30}}};

// No duration is longer: nobody waits for a year, and sums of a few of them do not overflow.
inline constexpr std::chrono::nanoseconds kMaxDuration = std::chrono::hours(8760);

// The number times its unit's factor, or UINT64_MAX where that is more than 64 bits hold. Nothing
// where `text` is not decimal digits and then one of `units`: no sign, no fraction, no space.
std::optional<uint64_t> ParseQuantity(std::string_view text, std::span<const Unit> units);
// In the largest of `units` that leaves no fraction. `value` is a multiple of the first one's
// factor.
std::string FormatQuantity(uint64_t value, std::span<const Unit> units);

// As Go's time.ParseDuration reads them, without a sign: `250ms`, `2s`, `1.5s`, `1m30s`; units ns,
// us, ms, s, m, h. INVALID_ARGUMENT: it is none, is zero, or longer than kMaxDuration.
ttrpc::Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);
// Bytes: `65536`, `64KiB`, `4MiB`. INVALID_ARGUMENT: it is none, or not from 1 to `longest`.
ttrpc::Result<uint32_t> ParseSize(std::string_view text, uint32_t longest);

void AppendNumber(uint64_t number, std::string* out);
// RFC 3339 in UTC with microseconds: 2024-01-31T23:59:59.000001Z.
void AppendTime(std::chrono::system_clock::time_point time, std::string* out);

}  // namespace text
