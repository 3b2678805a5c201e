// SPDX-License-Identifier: Apache-2.0
#include "config/size.h"

#include <array>

#include "config/quantity.h"

namespace proxyd {
namespace {

constexpr std::array<Unit, 4> kUnits = {{
    {"", 1},
    {"KiB", uint64_t{1} << 10},
    {"MiB", uint64_t{1} << 20},
    {"GiB", uint64_t{1} << 30},
}};

}  // namespace

ttrpc::Result<uint64_t> ParseSize(std::string_view text) {
  if (const auto bytes = ParseQuantity(text, kUnits)) return *bytes;
  return ttrpc::Status(ttrpc::StatusCode::kInvalidArgument,
                       "expected a whole number of bytes, KiB, MiB or GiB, as \"64KiB\"");
}

std::string FormatSize(uint64_t bytes) { return FormatQuantity(bytes, kUnits); }

}  // namespace proxyd
