// SPDX-License-Identifier: Apache-2.0
#include "config/duration.h"

#include <array>

#include "config/quantity.h"

namespace proxyd {
namespace {

constexpr std::array<Unit, 5> kUnits = {{
    {"us", 1},
    {"ms", 1'000},
    {"s", 1'000'000},
    {"m", 60'000'000},
    {"h", 3'600'000'000},
}};

using Microseconds = std::chrono::microseconds;

}  // namespace

ttrpc::Result<Duration> ParseDuration(std::string_view text) {
  if (text == "0") return Duration{0};
  const auto count = ParseQuantity(text, kUnits);
  if (!count) {
    return ttrpc::Status(ttrpc::StatusCode::kInvalidArgument,
                         "expected a whole number with a unit (us, ms, s, m, h) or \"0\"");
  }
  constexpr auto kMaxCount =
      static_cast<uint64_t>(std::chrono::duration_cast<Microseconds>(kMaxDuration).count());
  if (*count > kMaxCount) {
    return ttrpc::Status(ttrpc::StatusCode::kInvalidArgument, "expected at most \"8760h\"");
  }
  return Duration(Microseconds(static_cast<int64_t>(*count)));
}

std::string FormatDuration(Duration duration) {
  if (duration == Duration{0}) return "0";
  const auto count = std::chrono::duration_cast<Microseconds>(duration).count();
  return FormatQuantity(static_cast<uint64_t>(count), kUnits);
}

}  // namespace proxyd
