// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "observe/rate_limiter.h"

namespace proxyd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr AuditEvent kDeny = AuditEvent::kDeny;
constexpr RateLimiter::Time kStart{seconds(1000)};

int AdmittedOf(RateLimiter* limiter, uid_t uid, int lines, RateLimiter::Time now) {
  int admitted = 0;
  for (int i = 0; i < lines; ++i) admitted += limiter->Admit(uid, kDeny, now) ? 1 : 0;
  return admitted;
}

TEST(RateLimiterTest, ASecondsWorthAtOnceThenTheRate) {
  RateLimiter limiter(100, 1);
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 150, kStart), 100);
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 50, kStart + milliseconds(100)), 10);
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 500, kStart + seconds(60)), 100);
}

TEST(RateLimiterTest, UsersDoNotShare) {
  RateLimiter limiter(10, 1);
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 20, kStart), 10);
  EXPECT_EQ(AdmittedOf(&limiter, 1001, 20, kStart), 10);
}

TEST(RateLimiterTest, ZeroIsNoLimit) {
  RateLimiter limiter(0, 1);
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 100000, kStart), 100000);
  EXPECT_FALSE(limiter.next_due());
}

TEST(RateLimiterTest, CountsAreToldOnceInOrderWithinASecond) {
  RateLimiter limiter(1, 1);
  EXPECT_TRUE(limiter.Admit(1000, kDeny, kStart));
  EXPECT_TRUE(limiter.Admit(1001, kDeny, kStart));
  EXPECT_FALSE(limiter.next_due());
  EXPECT_FALSE(limiter.Admit(1001, kDeny, kStart + milliseconds(10)));
  EXPECT_FALSE(limiter.Admit(1000, kDeny, kStart + milliseconds(20)));
  EXPECT_FALSE(limiter.Admit(1001, AuditEvent::kRefuse, kStart + milliseconds(30)));
  ASSERT_EQ(limiter.next_due(), kStart + milliseconds(10) + RateLimiter::kTellAfter);
  EXPECT_LT(RateLimiter::kTellAfter, seconds(1));

  EXPECT_FALSE(limiter.TakeSuppressed(*limiter.next_due() - milliseconds(1)));
  auto told = limiter.TakeSuppressed(*limiter.next_due());
  ASSERT_TRUE(told);
  EXPECT_EQ(told->uid, 1001U);
  EXPECT_EQ(told->lines, 2U);
  EXPECT_EQ(told->event, AuditEvent::kRefuse);
  EXPECT_FALSE(limiter.TakeSuppressed(kStart + milliseconds(10) + RateLimiter::kTellAfter));
  told = limiter.TakeSuppressed(RateLimiter::Time::max());
  ASSERT_TRUE(told);
  EXPECT_EQ(told->uid, 1000U);
  EXPECT_EQ(told->lines, 1U);
  EXPECT_FALSE(limiter.next_due());
  EXPECT_FALSE(limiter.TakeSuppressed(RateLimiter::Time::max()));
}

// An account with subordinate uids gets no more than what there are places for, and no line that
// was held back goes untold.
TEST(RateLimiterTest, ManyUsersShareOneAllowanceBeyondTheBound) {
  constexpr uid_t kUsers = 65536;
  RateLimiter limiter(10, 42);
  uint64_t admitted = 0;
  for (uid_t uid = 0; uid < kUsers; ++uid) {
    admitted += static_cast<uint64_t>(AdmittedOf(&limiter, 100000 + uid, 20, kStart));
  }
  EXPECT_LE(admitted, (RateLimiter::kUsers + 1) * 10);
  EXPECT_GE(admitted, RateLimiter::kUsers * 10);
  uint64_t told = 0;
  uint64_t told_of_nobody = 0;
  size_t lines = 0;
  while (const auto suppressed = limiter.TakeSuppressed(RateLimiter::Time::max())) {
    told += suppressed->lines;
    if (!suppressed->uid) told_of_nobody += suppressed->lines;
    ++lines;
  }
  EXPECT_EQ(admitted + told, uint64_t{kUsers} * 20);
  EXPECT_GT(told_of_nobody, 0U);
  EXPECT_LE(lines, RateLimiter::kUsers + 1);
}

TEST(RateLimiterTest, WhoIsQuietGivesThePlaceToOthers) {
  RateLimiter limiter(10, 42);
  for (uid_t uid = 0; uid < 65536; ++uid) {
    // Each uses all that it has; a second later that is forgotten.
    const RateLimiter::Time now = kStart + seconds(uid);
    ASSERT_EQ(AdmittedOf(&limiter, uid, 10, now), 10) << uid;
  }
  EXPECT_FALSE(limiter.next_due());
}

}  // namespace
}  // namespace proxyd
