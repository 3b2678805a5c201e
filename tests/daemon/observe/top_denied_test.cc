// SPDX-License-Identifier: Apache-2.0
#include "observe/top_denied.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace proxyd {
namespace {

TEST(TopDeniedTest, TheMostFrequentComeFirst) {
  TopDenied denied;
  for (int i = 0; i < 3; ++i) denied.Count(1000, "a.S", "Do");
  denied.Count(1000, "a.S", "Other");
  for (int i = 0; i < 2; ++i) denied.Count(1001, "a.S", "Do");
  const auto top = denied.Top(2);
  ASSERT_EQ(top.size(), 2U);
  EXPECT_EQ(top[0].uid, 1000U);
  EXPECT_EQ(top[0].service + "/" + top[0].method, "a.S/Do");
  EXPECT_EQ(top[0].count, 3U);
  EXPECT_EQ(top[1].uid, 1001U);
  EXPECT_EQ(top[1].count, 2U);
  EXPECT_EQ(denied.Top(10).size(), 3U);
}

// A user who calls a million methods removes no other user's entries.
TEST(TopDeniedTest, AUserHasItsOwnPartOnly) {
  TopDenied denied;
  for (int i = 0; i < 10; ++i) denied.Count(1, "a.S", "Rare");
  for (int i = 0; i < 100'000; ++i) denied.Count(2, "b.S", "M" + std::to_string(i));
  const auto top = denied.Top(TopDenied::kEntries);
  EXPECT_EQ(top.size(), TopDenied::kEntriesOfAUser + 1);
  EXPECT_EQ(std::count_if(top.begin(), top.end(), [](const auto& entry) { return entry.uid == 1; }),
            1);
}

TEST(TopDeniedTest, WhatIsFrequentStaysAmongManyUsers) {
  TopDenied denied;
  for (int i = 0; i < 100'000; ++i) {
    denied.Count(static_cast<uid_t>(100'000 + i), "b.S", "Do");
    if (i % 10 == 0) denied.Count(7, "a.S", "Often");
  }
  const auto top = denied.Top(TopDenied::kEntries);
  EXPECT_EQ(top.size(), TopDenied::kEntries);
  EXPECT_EQ(top[0].uid, 7U);
  EXPECT_GE(top[0].count, 10'000U) << "it is never too low";
}

}  // namespace
}  // namespace proxyd
