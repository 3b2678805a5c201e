// SPDX-License-Identifier: Apache-2.0
//
// StatusJson: what the status page shows, as JSON. On the loop's thread.
#pragma once

#include <string>

#include "proxy/daemon_info.h"

namespace proxyd {

// One object. Times are milliseconds since 1970, sums of spans are seconds.
std::string StatusJson(const DaemonInfo& info);

}  // namespace proxyd
