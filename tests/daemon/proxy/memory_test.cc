// SPDX-License-Identifier: Apache-2.0
#include "proxy/memory.h"

#include <gtest/gtest.h>

namespace proxyd {
namespace {

constexpr uint64_t kMiB = 1U << 20;

TEST(MemoryPeakTest, ComesDownWhenAllOfAPeriodWasLower) {
  MemoryPeak peak;
  peak.Note(100 * kMiB);
  EXPECT_TRUE(peak.pending());
  EXPECT_FALSE(peak.EndPeriod(0)) << "it was there within this period";
  EXPECT_TRUE(peak.EndPeriod(0));
  EXPECT_FALSE(peak.pending());
}

TEST(MemoryPeakTest, ALoadThatComesAndGoesKeepsItsMemory) {
  MemoryPeak peak;
  for (int i = 0; i < 100; ++i) {
    peak.Note(64 * kMiB);
    ASSERT_FALSE(peak.EndPeriod(0)) << i;
  }
  EXPECT_TRUE(peak.EndPeriod(0));
}

TEST(MemoryPeakTest, SoDoesOneThatStaysNearItsPeak) {
  MemoryPeak peak;
  peak.Note(64 * kMiB);
  for (int i = 0; i < 10; ++i)
    ASSERT_FALSE(peak.EndPeriod(64 * kMiB - MemoryPeak::kWorthwhile + 1));
  EXPECT_TRUE(peak.pending());
}

TEST(MemoryPeakTest, GoesDownInSteps) {
  MemoryPeak peak;
  peak.Note(64 * kMiB);
  peak.EndPeriod(40 * kMiB);
  EXPECT_TRUE(peak.EndPeriod(40 * kMiB));
  EXPECT_FALSE(peak.EndPeriod(20 * kMiB)) << "the peak is 40 MiB now";
  EXPECT_TRUE(peak.EndPeriod(20 * kMiB));
  EXPECT_TRUE(peak.pending());
}

TEST(MemoryPeakTest, LittleIsNotWorthIt) {
  MemoryPeak peak;
  peak.Note(MemoryPeak::kWorthwhile - 1);
  EXPECT_FALSE(peak.pending());
  EXPECT_FALSE(peak.EndPeriod(0));
  EXPECT_FALSE(peak.EndPeriod(0));
}

}  // namespace
}  // namespace proxyd
