// SPDX-License-Identifier: Apache-2.0
#include "text/numbers.h"

#include <charconv>
#include <limits>
#include <system_error>
#include <utility>

namespace text {
namespace {

using std::chrono::nanoseconds;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;

Status Invalid(std::string what) { return {StatusCode::kInvalidArgument, std::move(what)}; }

// Removes one part such as `1.5s` from the front of `text`. Returns none if there is none or it is
// too long.
std::optional<nanoseconds> TakePart(std::string_view* text) {
  uint64_t whole = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), whole);
  if (error != std::errc()) return std::nullopt;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  std::string_view fraction;
  if (text->starts_with('.')) {
    fraction = text->substr(1, text->find_first_not_of("0123456789", 1) - 1);
    if (fraction.empty()) return std::nullopt;
    text->remove_prefix(1 + fraction.size());
  }
  // Smaller units come first, so that "ms" is tried before "m".
  for (const Unit& unit : kTimeUnits) {
    if (!text->starts_with(unit.name)) continue;
    text->remove_prefix(unit.name.size());
    if (whole > static_cast<uint64_t>(kMaxDuration.count()) / unit.factor) return std::nullopt;
    uint64_t sum = whole * unit.factor;
    uint64_t place = unit.factor;
    for (const char digit : fraction) sum += static_cast<uint64_t>(digit - '0') * (place /= 10);
    return nanoseconds(static_cast<int64_t>(sum));
  }
  return std::nullopt;
}

void AppendPadded(uint32_t value, int digits, std::string* out) {
  std::string_view::size_type end = out->size() + static_cast<size_t>(digits);
  out->resize(end);
  for (int i = 0; i < digits; ++i, value /= 10) (*out)[--end] = static_cast<char>('0' + value % 10);
}

}  // namespace

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

Result<nanoseconds> ParseDuration(std::string_view text) {
  nanoseconds sum{0};
  std::string_view rest = text;
  do {
    const std::optional<nanoseconds> part = TakePart(&rest);
    if (!part) return Invalid("not a duration; use one such as 250ms, 2s or 1m30s, at most 8760h");
    sum += *part;
    if (sum > kMaxDuration) return Invalid("longer than 8760h; use a shorter duration");
  } while (!rest.empty());
  if (sum == nanoseconds(0)) return Invalid("zero; use a longer duration");
  return sum;
}

Result<uint32_t> ParseSize(std::string_view text, uint32_t longest) {
  const auto size = ParseQuantity(text, std::span(kSizeUnits).first(3));
  if (!size) return Invalid("not a size; use a number of bytes such as 65536, 64KiB or 4MiB");
  if (*size == 0 || *size > longest) {
    return Invalid("out of range; use 1 to " + std::to_string(longest) + " bytes");
  }
  return static_cast<uint32_t>(*size);
}

void AppendNumber(uint64_t number, std::string* out) {
  char digits[20];  // 2^64 - 1 has 20
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, number);
  out->append(digits, end.ptr);
}

void AppendTime(std::chrono::system_clock::time_point time, std::string* out) {
  namespace chrono = std::chrono;
  // gmtime_r() is avoided because it takes the C library's time zone lock for each line.
  const auto day = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss clock(chrono::floor<chrono::microseconds>(time - day));
  const auto number = [out](auto value, int digits) {
    AppendPadded(static_cast<uint32_t>(value), digits, out);
  };
  number(static_cast<int>(date.year()), 4);
  out->push_back('-');
  number(static_cast<unsigned>(date.month()), 2);
  out->push_back('-');
  number(static_cast<unsigned>(date.day()), 2);
  out->push_back('T');
  number(clock.hours().count(), 2);
  out->push_back(':');
  number(clock.minutes().count(), 2);
  out->push_back(':');
  number(clock.seconds().count(), 2);
  out->push_back('.');
  number(clock.subseconds().count(), 6);
  out->push_back('Z');
}

}  // namespace text
