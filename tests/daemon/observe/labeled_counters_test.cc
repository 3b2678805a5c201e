// SPDX-License-Identifier: Apache-2.0
#include "observe/labeled_counters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <string>

namespace proxyd {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

size_t BucketOf(nanoseconds span) {
  Histogram histogram;
  histogram.Add(span);
  const auto& buckets = histogram.buckets();
  return static_cast<size_t>(std::find(buckets.begin(), buckets.end(), 1U) - buckets.begin());
}

TEST(HistogramTest, BoundsAreInclusiveAndAscend) {
  for (size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    if (i > 0) {
      EXPECT_LT(Histogram::kBounds[i - 1], Histogram::kBounds[i]);
    }
    EXPECT_EQ(BucketOf(Histogram::kBounds[i]), i);
    EXPECT_EQ(BucketOf(Histogram::kBounds[i] + nanoseconds(1)), i + 1);
  }
  EXPECT_EQ(BucketOf(nanoseconds(0)), 0U);
  EXPECT_EQ(BucketOf(seconds(3600)), Histogram::kBounds.size());
}

TEST(HistogramTest, CountsAndSumsUp) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Add(microseconds(i * i));
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_EQ(histogram.sum(), microseconds(338350));
  EXPECT_EQ(std::accumulate(histogram.buckets().begin(), histogram.buckets().end(), uint64_t{0}),
            100U);
}

TEST(LabeledCountersTest, CodesThatNobodyKnowsAreUnknown) {
  MethodCounters counters;
  counters.Count(ttrpc::StatusCode::kOk);
  counters.Count(ttrpc::StatusCode::kUnauthenticated);
  counters.Count(static_cast<ttrpc::StatusCode>(17));
  counters.Count(static_cast<ttrpc::StatusCode>(-1));
  EXPECT_EQ(counters.ended[0], 1U);
  EXPECT_EQ(counters.ended[16], 1U);
  EXPECT_EQ(counters.ended[static_cast<size_t>(ttrpc::StatusCode::kUnknown)], 2U);
}

// Users of the counters keep references across reloads.
TEST(LabeledCountersTest, WhatWasCountedStaysWhereItIs) {
  LabeledCounters counters;
  BackendCounters& first = counters.Backend("b");
  ++first.connects;
  for (int i = 0; i < 1000; ++i) counters.Backend(std::to_string(i));
  EXPECT_EQ(&counters.Backend("b"), &first);
  EXPECT_EQ(counters.backends().at("b").connects, 1U);
}

TEST(LabeledCountersTest, ARuleThatIsTurnedRoundIsCountedAnew) {
  LabeledCounters counters;
  LabeledCounters::RuleKey key = {
      .listener = "l", .rule = "r", .action = RuleConfig::Action::kAllow, .enforced = true};
  ++counters.Rule(key).decisions;
  key.enforced = false;
  EXPECT_EQ(counters.Rule(key).decisions, 0U);
  key.enforced = true;
  EXPECT_EQ(counters.Rule(key).decisions, 1U);
}

}  // namespace
}  // namespace proxyd
