// SPDX-License-Identifier: Apache-2.0
//
// Unbuffered output: everything that was printed is visible even if a signal ends the program.
#pragma once

#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc::tool {

// Writes all bytes and waits as long as it takes. An error names standard output, because an error
// of standard error cannot be reported.
Status Write(int fd, std::string_view bytes);

}  // namespace ttrpc::tool
