// SPDX-License-Identifier: Apache-2.0
#include "observe/labeled_counters.h"

#include <algorithm>

namespace proxyd {

void Histogram::Add(std::chrono::nanoseconds span) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), span);
  ++buckets_[static_cast<size_t>(bound - kBounds.begin())];
  ++count_;
  sum_ += span;
}

}  // namespace proxyd
