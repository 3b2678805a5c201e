// SPDX-License-Identifier: Apache-2.0
//
// The text format of Prometheus, version 0.0.4. No library writes it, since libraries build all
// metrics in memory first and take about ten times as long, on the thread that carries the calls.
// The functions are pure; any thread may call them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "observe/labeled_counters.h"

namespace proxyd {

using MetricLabels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// Appends `# HELP` and `# TYPE`. `type` is counter, gauge or histogram. Append the samples next.
void AppendFamily(std::string_view name, std::string_view type, std::string_view help,
                  std::string* out);

// Appends `name{label="value"} 1`.
void AppendSample(std::string_view name, MetricLabels labels, uint64_t value, std::string* out);
void AppendSample(std::string_view name, MetricLabels labels, double value, std::string* out);
// Appends all samples of a histogram, in seconds.
void AppendHistogram(std::string_view name, MetricLabels labels, const Histogram& histogram,
                     std::string* out);

}  // namespace proxyd
