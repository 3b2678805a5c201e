// SPDX-License-Identifier: Apache-2.0
//
// TokenBucket. The tests pass the time in.
#include "limits/token_bucket.h"

#include <gtest/gtest.h>

namespace proxyd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TokenBucket::Clock::time_point kStart{seconds(1000)};

TEST(TokenBucketTest, ASecondsWorthOfRequestsAtOnceThenTheRate) {
  TokenBucket bucket;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(bucket.Take(10, kStart)) << i;
  EXPECT_FALSE(bucket.Take(10, kStart));
  EXPECT_FALSE(bucket.Take(10, kStart + milliseconds(99)));
  EXPECT_TRUE(bucket.Take(10, kStart + milliseconds(100)));
  EXPECT_FALSE(bucket.Take(10, kStart + milliseconds(199)));
  EXPECT_TRUE(bucket.Take(10, kStart + milliseconds(350)));
  EXPECT_TRUE(bucket.Take(10, kStart + milliseconds(350)));
  EXPECT_FALSE(bucket.Take(10, kStart + milliseconds(350)));
  // At most one second's worth is saved.
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(bucket.Take(10, kStart + seconds(60))) << i;
  EXPECT_FALSE(bucket.Take(10, kStart + seconds(60)));
}

TEST(TokenBucketTest, NoRateIsNoLimit) {
  TokenBucket bucket;
  for (int i = 0; i < 100000; ++i) ASSERT_TRUE(bucket.Take(0, kStart));
}

TEST(TokenBucketTest, OneASecondAndAMillion) {
  TokenBucket slow;
  EXPECT_TRUE(slow.Take(1, kStart));
  EXPECT_FALSE(slow.Take(1, kStart + milliseconds(999)));
  EXPECT_TRUE(slow.Take(1, kStart + seconds(1)));
  TokenBucket fast;
  int taken = 0;
  while (fast.Take(1000000, kStart)) ++taken;
  EXPECT_EQ(taken, 1000000);
}

TEST(TokenBucketTest, IsFullOnceWhatWasTakenHasComeBack) {
  TokenBucket bucket;
  EXPECT_TRUE(bucket.IsFull(kStart));
  EXPECT_TRUE(bucket.Take(10, kStart));
  EXPECT_FALSE(bucket.IsFull(kStart + milliseconds(99)));
  EXPECT_TRUE(bucket.IsFull(kStart + milliseconds(100)));
}

}  // namespace
}  // namespace proxyd
