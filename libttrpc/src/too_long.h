// SPDX-License-Identifier: Apache-2.0
//
// The status of a message that is longer than it may be. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>

#include "ttrpc/status.h"

namespace ttrpc {

inline Status MessageTooLong(size_t length, size_t limit) {
  return {StatusCode::kResourceExhausted, "message length " + std::to_string(length) +
                                              " exceed maximum message size of " +
                                              std::to_string(limit)};
}

}  // namespace ttrpc
