// SPDX-License-Identifier: Apache-2.0
//
// A whole number with a unit behind it, as durations and sizes are written. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace proxyd {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

// The number times its unit's factor, or UINT64_MAX where that is more than 64 bits hold. Nothing
// where `text` is not decimal digits and then one of `units`: no sign, no fraction, no space.
std::optional<uint64_t> ParseQuantity(std::string_view text, std::span<const Unit> units);

// In the largest of `units` (smallest first, the first with factor 1) that leaves no fraction.
std::string FormatQuantity(uint64_t value, std::span<const Unit> units);

}  // namespace proxyd
