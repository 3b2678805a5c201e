// SPDX-License-Identifier: Apache-2.0
//
// Writing that is not buffered: what was printed has been seen, even if a signal ends the program.
#pragma once

#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc::tool {

// All of it, waiting as long as it takes. What fails is said to be standard output: nobody is told
// of standard error.
Status Write(int fd, std::string_view bytes);

}  // namespace ttrpc::tool
