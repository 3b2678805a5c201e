// SPDX-License-Identifier: Apache-2.0
//
// How long the data of a message may be. Constants; any thread.
#pragma once

#include <cstdint>

namespace ttrpc {

// Go's messageLengthMax: every known peer refuses longer data.
inline constexpr uint32_t kDefaultMessageSize = 4U << 20;
// The first byte of a message's length is reserved and zero, which leaves this. Options that ask
// for more get this much.
inline constexpr uint32_t kMaxMessageSize = (16U << 20) - 1;

}  // namespace ttrpc
