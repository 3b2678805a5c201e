// SPDX-License-Identifier: Apache-2.0
//
// Invalid: makes the status for unusable input. Any thread.
#pragma once

#include <string>
#include <utility>

#include "ttrpc/status.h"

namespace ttrpc::tool {

inline Status Invalid(std::string what) { return {StatusCode::kInvalidArgument, std::move(what)}; }

}  // namespace ttrpc::tool
