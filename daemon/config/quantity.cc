// SPDX-License-Identifier: Apache-2.0
#include "config/quantity.h"

#include <chrono>
#include <span>

namespace proxyd {
namespace {

// Leaves out nanoseconds: no duration of the configuration is that short.
constexpr std::span<const text::Unit> kDurationUnits = std::span(text::kTimeUnits).subspan<1>();

ttrpc::Status Use(std::string_view what) {
  return {ttrpc::StatusCode::kInvalidArgument, "use " + std::string(what)};
}

}  // namespace

ttrpc::Result<Duration> ParseDuration(std::string_view text) {
  if (text == "0") return Duration{0};
  const auto count = text::ParseQuantity(text, kDurationUnits);
  if (!count) return Use("a whole number with a unit (us, ms, s, m, h), or \"0\"");
  if (*count > static_cast<uint64_t>(kMaxDuration.count())) return Use("at most \"8760h\"");
  return Duration(static_cast<int64_t>(*count));
}

std::string FormatDuration(Duration duration) {
  if (duration == Duration{0}) return "0";
  const Duration whole = std::chrono::floor<std::chrono::microseconds>(duration);
  return text::FormatQuantity(static_cast<uint64_t>(whole.count()), kDurationUnits);
}

ttrpc::Result<uint64_t> ParseSize(std::string_view text) {
  if (const auto bytes = text::ParseQuantity(text, text::kSizeUnits)) return *bytes;
  return Use("a whole number of bytes, KiB, MiB or GiB, such as \"64KiB\"");
}

std::string FormatSize(uint64_t bytes) { return text::FormatQuantity(bytes, text::kSizeUnits); }

}  // namespace proxyd
