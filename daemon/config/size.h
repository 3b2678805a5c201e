// SPDX-License-Identifier: Apache-2.0
//
// Sizes in bytes as the configuration writes them: "64KiB", "4MiB", "1000". Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace proxyd {

// A whole number, alone or with KiB, MiB or GiB. INVALID_ARGUMENT: what was expected.
// UINT64_MAX stands for all that 64 bits do not hold.
ttrpc::Result<uint64_t> ParseSize(std::string_view text);

// ParseSize() reads it back the same.
std::string FormatSize(uint64_t bytes);

}  // namespace proxyd
