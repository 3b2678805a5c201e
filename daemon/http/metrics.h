// SPDX-License-Identifier: Apache-2.0
//
// Metrics: writes all metrics in the text format of Prometheus. It runs on the loop's thread.
#pragma once

#include <memory>

#include "observe/sliced_text.h"
#include "proxy/daemon_info.h"

namespace proxyd {

enum class MetricsParts {
  kAll,
  // Leaves out process_*. A textfile collector has its own and rejects a file with others.
  kWithoutProcess,
};

// Returns text in format version 0.0.4. `info` must outlive it. Reloads may happen between slices.
std::unique_ptr<SlicedText> MetricsText(const DaemonInfo& info, MetricsParts parts);

}  // namespace proxyd
