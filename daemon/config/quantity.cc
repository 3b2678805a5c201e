// SPDX-License-Identifier: Apache-2.0
#include "config/quantity.h"

#include <charconv>
#include <limits>
#include <system_error>

namespace proxyd {

std::optional<uint64_t> ParseQuantity(std::string_view text, std::span<const Unit> units) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) number = kMax;
  const std::string_view name = text.substr(static_cast<size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    return number > kMax / unit.factor ? kMax : number * unit.factor;
  }
  return std::nullopt;
}

std::string FormatQuantity(uint64_t value, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) best = &unit;
  }
  return std::to_string(value / best->factor).append(best->name);
}

}  // namespace proxyd
