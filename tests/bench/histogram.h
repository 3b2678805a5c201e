// SPDX-License-Identifier: Apache-2.0
//
// Histogram: latencies in nanoseconds, in buckets that grow with the value. There are 128 for each
// power of two, so that a quantile is off by less than 0.4 %. A value; one thread at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

class Histogram {
 public:
  Histogram() : counts_(Index(~uint64_t{0}) + 1) {}

  void Add(uint64_t value) {
    ++counts_[Index(value)];
    ++total_;
    max_ = std::max(max_, value);
  }

  uint64_t total() const { return total_; }
  uint64_t max() const { return max_; }

  // Returns the middle of the bucket that holds the value of rank `fraction` × total, or 0 if the
  // histogram is empty.
  double Quantile(double fraction) const {
    const auto rank = static_cast<uint64_t>(fraction * static_cast<double>(total_));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (counts_[i] > 0 && seen > rank) return Middle(i);
    }
    return static_cast<double>(max_);
  }

 private:
  static constexpr unsigned kBits = 7;
  static constexpr uint64_t kPerPower = 1U << kBits;

  // Each value below 2 × kPerPower has a bucket of its own. Above, the top kBits + 1 bits of a
  // value choose the bucket.
  static size_t Index(uint64_t value) {
    const unsigned width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > kBits + 1 ? width - (kBits + 1) : 0;
    return shift * kPerPower + (value >> shift);
  }

  static double Middle(size_t index) {
    if (index < 2 * kPerPower) return static_cast<double>(index);
    const uint64_t shift = index / kPerPower - 1;
    const uint64_t low = (index - shift * kPerPower) << shift;
    return static_cast<double>(low) + static_cast<double>(uint64_t{1} << shift) / 2;
  }

  std::vector<uint64_t> counts_;
  uint64_t total_ = 0;
  uint64_t max_ = 0;
};

}  // namespace bench
