// SPDX-License-Identifier: Apache-2.0
//
// The name of a method as users write it. No I/O; any thread.
#pragma once

#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc::tool {

struct MethodName {
  std::string service;  // "package.Service"
  std::string method;
};

// Parses `package.Service/Method`, `/package.Service/Method` or `package.Service.Method`. Returns
// INVALID_ARGUMENT for other text.
Result<MethodName> ParseMethodName(std::string_view text);

}  // namespace ttrpc::tool
