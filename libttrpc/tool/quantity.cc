// SPDX-License-Identifier: Apache-2.0
#include "quantity.h"

#include <charconv>
#include <optional>
#include <string>
#include <utility>

namespace ttrpc::tool {
namespace {

using std::chrono::nanoseconds;

// A year: nobody waits longer, and sums of a few of them do not overflow.
constexpr nanoseconds kLongest = std::chrono::hours(8760);

struct Unit {
  std::string_view name;
  uint64_t size;
};
// A unit that begins as another does stands before it.
constexpr Unit kUnits[] = {{"ns", 1},
                           {"us", 1'000},
                           {"ms", 1'000'000},
                           {"s", 1'000'000'000},
                           {"m", 60'000'000'000},
                           {"h", 3'600'000'000'000}};

Status Invalid(std::string what) { return {StatusCode::kInvalidArgument, std::move(what)}; }

std::optional<uint64_t> TakeDigits(std::string_view* text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc()) return std::nullopt;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return value;
}

// One `1.5s` off the front; none if there is none there, or it is too long.
std::optional<nanoseconds> TakePart(std::string_view* text) {
  const std::optional<uint64_t> whole = TakeDigits(text);
  if (!whole) return std::nullopt;
  std::string_view fraction;
  if (text->starts_with('.')) {
    fraction = text->substr(1, text->find_first_not_of("0123456789", 1) - 1);
    if (fraction.empty()) return std::nullopt;
    text->remove_prefix(1 + fraction.size());
  }
  for (const Unit& unit : kUnits) {
    if (!text->starts_with(unit.name)) continue;
    text->remove_prefix(unit.name.size());
    if (*whole > static_cast<uint64_t>(kLongest.count()) / unit.size) return std::nullopt;
    uint64_t sum = *whole * unit.size;
    uint64_t place = unit.size;
    for (const char digit : fraction) sum += static_cast<uint64_t>(digit - '0') * (place /= 10);
    return nanoseconds(static_cast<int64_t>(sum));
  }
  return std::nullopt;
}

}  // namespace

Result<nanoseconds> ParseDuration(std::string_view text) {
  nanoseconds sum{0};
  std::string_view rest = text;
  do {
    const std::optional<nanoseconds> part = TakePart(&rest);
    if (!part) return Invalid("expected a duration such as 250ms, 2s or 1m30s, at most 8760h");
    sum += *part;
    if (sum > kLongest) return Invalid("expected a duration of at most 8760h");
  } while (!rest.empty());
  if (sum == nanoseconds(0)) return Invalid("expected a duration that is longer than nothing");
  return sum;
}

Result<uint32_t> ParseSize(std::string_view text, uint32_t longest) {
  std::string_view rest = text;
  std::optional<uint64_t> size = TakeDigits(&rest);
  uint64_t unit = 1;
  if (rest == "KiB") unit = 1U << 10;
  if (rest == "MiB") unit = 1U << 20;
  if (!size || (unit == 1 && !rest.empty())) {
    return Invalid("expected a number of bytes such as 65536, 64KiB or 4MiB");
  }
  if (*size == 0 || *size > longest / unit) {
    return Invalid("expected from 1 to " + std::to_string(longest) + " bytes");
  }
  return static_cast<uint32_t>(*size * unit);
}

}  // namespace ttrpc::tool
