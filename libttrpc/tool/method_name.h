// SPDX-License-Identifier: Apache-2.0
//
// A method's name as users write it. No I/O; any thread.
#pragma once

#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc::tool {

struct MethodName {
  std::string service;  // "package.Service"
  std::string method;
};

// `package.Service/Method`, `/package.Service/Method` or `package.Service.Method`.
// INVALID_ARGUMENT: it is none of these.
Result<MethodName> ParseMethodName(std::string_view text);

}  // namespace ttrpc::tool
