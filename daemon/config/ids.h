// SPDX-License-Identifier: Apache-2.0
//
// The ids that users and groups may have.
#pragma once

#include <cstdint>

namespace proxyd {

// -1 is no id: system calls take it for "leave as it is", and the kernel shows it for "unknown".
inline constexpr uint32_t kMaxId = 0xfffffffeU;

}  // namespace proxyd
