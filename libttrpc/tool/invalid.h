// SPDX-License-Identifier: Apache-2.0
//
// Invalid: the error of input that a tool cannot use. Any thread.
#pragma once

#include <string>
#include <utility>

#include "ttrpc/status.h"

namespace ttrpc::tool {

inline Status Invalid(std::string what) { return {StatusCode::kInvalidArgument, std::move(what)}; }

}  // namespace ttrpc::tool
