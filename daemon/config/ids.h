// SPDX-License-Identifier: Apache-2.0
//
// The numbers that are valid ids of users and groups.
#pragma once

#include <cstdint>

namespace proxyd {

// The largest id. The next number, -1, means "leave unchanged" to system calls, and the kernel
// reports it for an unknown id.
inline constexpr uint32_t kMaxId = 0xfffffffeU;

}  // namespace proxyd
