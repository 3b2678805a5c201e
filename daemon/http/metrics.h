// SPDX-License-Identifier: Apache-2.0
//
// Metrics: everything that is counted, as Prometheus reads it. On the loop's thread.
#pragma once

#include <string>

#include "proxy/daemon_info.h"

namespace proxyd {

// The text format, version 0.0.4.
std::string MetricsText(const DaemonInfo& info);

}  // namespace proxyd
