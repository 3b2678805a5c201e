// SPDX-License-Identifier: Apache-2.0
#include "ctl/units.h"

#include <array>
#include <ctime>
#include <string_view>

namespace proxyd::ctl {
namespace {

constexpr int64_t kSecond = 1'000'000;

// Values below ten get one decimal, unless it is 0.
std::string Scaled(uint64_t value, uint64_t unit, std::string_view name) {
  const uint64_t whole = value / unit;
  const uint64_t tenths = value % unit * 10 / unit;
  std::string text = std::to_string(whole);
  if (whole < 10 && tenths != 0) text += "." + std::to_string(tenths);
  return text.append(name);
}

std::string Pair(int64_t first, const char* first_unit, int64_t second, const char* second_unit) {
  std::string text = std::to_string(first) + first_unit;
  if (second < 10) text += '0';
  return text + std::to_string(second) + second_unit;
}

std::string Formatted(int64_t time, const char* format) {
  const time_t seconds = time / kSecond;
  tm parts = {};
  if (::localtime_r(&seconds, &parts) == nullptr) return "-";
  std::array<char, 64> text = {};
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

}  // namespace

std::string HumanBytes(uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + "B";
  size_t unit = 0;
  while (unit + 1 < kUnits.size() && bytes >> (10 * (unit + 2)) != 0) ++unit;
  return Scaled(bytes, uint64_t{1} << (10 * (unit + 1)), kUnits[unit]);
}

std::string HumanDuration(std::chrono::microseconds duration) {
  const int64_t us = duration.count() > 0 ? duration.count() : 0;
  if (us < 1000) return std::to_string(us) + "us";
  if (us < kSecond) return Scaled(static_cast<uint64_t>(us), 1000, "ms");
  const int64_t seconds = us / kSecond;
  if (seconds < 60) return Scaled(static_cast<uint64_t>(us), kSecond, "s");
  const int64_t minutes = seconds / 60;
  if (minutes < 60) return Pair(minutes, "m", seconds % 60, "s");
  const int64_t hours = minutes / 60;
  if (hours < 24) return Pair(hours, "h", minutes % 60, "m");
  return Pair(hours / 24, "d", hours % 24, "h");
}

std::string HumanTime(int64_t time) { return Formatted(time, "%Y-%m-%d %H:%M:%S %Z"); }

std::string ClockTime(int64_t time) {
  // The sum has seven digits; the first becomes the decimal point.
  std::string fraction = std::to_string(kSecond + time % kSecond);
  fraction[0] = '.';
  return Formatted(time, "%H:%M:%S") + fraction;
}

}  // namespace proxyd::ctl
