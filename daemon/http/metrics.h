// SPDX-License-Identifier: Apache-2.0
//
// Metrics: everything that is counted, as Prometheus reads it. On the loop's thread.
#pragma once

#include <memory>

#include "observe/sliced_text.h"
#include "proxy/daemon_info.h"

namespace proxyd {

enum class MetricsParts {
  kAll,
  // Without process_*: a collector of text files, which has its own, refuses a file with these.
  kWithoutProcess,
};

// The text format, version 0.0.4. `info` must outlive the text; a reload may come between slices.
std::unique_ptr<SlicedText> MetricsText(const DaemonInfo& info, MetricsParts parts);

}  // namespace proxyd
