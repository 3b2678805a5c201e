// SPDX-License-Identifier: Apache-2.0
//
// Limits for the length of a message's data, in bytes. Constants; any thread.
#pragma once

#include <cstdint>

namespace ttrpc {

// The limit of Go's implementation (messageLengthMax). Every known peer refuses longer data.
inline constexpr uint32_t kDefaultMessageSize = 4U << 20;
// The limit of the protocol, since the first byte of a message's length is reserved and zero.
inline constexpr uint32_t kMaxMessageSize = (16U << 20) - 1;

}  // namespace ttrpc
