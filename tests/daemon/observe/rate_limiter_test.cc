// SPDX-License-Identifier: Apache-2.0
#include "observe/rate_limiter.h"

#include <gtest/gtest.h>

namespace proxyd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr AuditEvent kDeny = AuditEvent::kDeny;
constexpr RateLimiter::Time kStart{seconds(1000)};

constexpr auto kLines = RateLimiter::Counts::kLinesAndBytes;
constexpr auto kAdmitted = RateLimiter::Charged::kAdmitted;

int AdmittedOf(RateLimiter* limiter, uid_t uid, int lines, RateLimiter::Time now) {
  int admitted = 0;
  for (int i = 0; i < lines; ++i) admitted += limiter->Admit(uid, kDeny, kLines, now) ? 1 : 0;
  return admitted;
}

// Returns the bytes written of `lines` lines with `bytes` bytes each, which only the byte rate
// limits.
size_t WrittenOf(RateLimiter* limiter, uid_t uid, int lines, size_t bytes, RateLimiter::Time now) {
  size_t written = 0;
  for (int i = 0; i < lines; ++i) {
    if (!limiter->Admit(uid, kDeny, RateLimiter::Counts::kBytes, now)) continue;
    limiter->Charge(uid, bytes, kAdmitted, now);
    written += bytes;
  }
  return written;
}

TEST(RateLimiterTest, ASecondsWorthAtOnceThenTheRate) {
  RateLimiter limiter({.lines = 100}, 1);
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 150, kStart), 100);
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 50, kStart + milliseconds(100)), 10);
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 500, kStart + seconds(60)), 100);
}

TEST(RateLimiterTest, UsersDoNotShare) {
  RateLimiter limiter({.lines = 10}, 1);
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 20, kStart), 10);
  EXPECT_EQ(AdmittedOf(&limiter, 1001, 20, kStart), 10);
}

TEST(RateLimiterTest, ZeroIsNoLimit) {
  RateLimiter limiter({.lines = 0}, 1);
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 100000, kStart), 100000);
  EXPECT_FALSE(limiter.next_due());
}

TEST(RateLimiterTest, CountsAreToldOnceInOrderWithinASecond) {
  RateLimiter limiter({.lines = 1}, 1);
  EXPECT_TRUE(limiter.Admit(1000, kDeny, kLines, kStart));
  EXPECT_TRUE(limiter.Admit(1001, kDeny, kLines, kStart));
  EXPECT_FALSE(limiter.next_due());
  EXPECT_FALSE(limiter.Admit(1001, kDeny, kLines, kStart + milliseconds(10)));
  EXPECT_FALSE(limiter.Admit(1000, kDeny, kLines, kStart + milliseconds(20)));
  EXPECT_FALSE(limiter.Admit(1001, AuditEvent::kRefuse, kLines, kStart + milliseconds(30)));
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

// An account with subordinate uids gets as many allowances as there are slots, and every suppressed
// line is reported.
TEST(RateLimiterTest, ManyUsersShareOneAllowanceBeyondTheBound) {
  constexpr uid_t kUsers = 65536;
  RateLimiter limiter({.lines = 10}, 42);
  uint64_t admitted = 0;
  for (uid_t uid = 0; uid < kUsers; ++uid) {
    admitted += static_cast<uint64_t>(AdmittedOf(&limiter, 100000 + uid, 20, kStart));
  }
  EXPECT_LE(admitted, (kUserSlots + 1) * 10);
  EXPECT_GE(admitted, kUserSlots * 10);
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
  EXPECT_LE(lines, kUserSlots + 1);
}

TEST(RateLimiterTest, WhoIsQuietGivesTheSlotToOthers) {
  RateLimiter limiter({.lines = 10}, 42);
  for (uid_t uid = 0; uid < 65536; ++uid) {
    // Each user uses all that it has. A second later the slot is free again.
    const RateLimiter::Time now = kStart + seconds(uid);
    ASSERT_EQ(AdmittedOf(&limiter, uid, 10, now), 10) << uid;
  }
  EXPECT_FALSE(limiter.next_due());
}

TEST(RateLimiterTest, BytesAreHeldToTheirRateAndALineMayBeOwed) {
  RateLimiter limiter({.lines = 1, .bytes = 10000}, 1);
  // The last line of 3,000 bytes was admitted with 1,000 bytes left, and takes more than these.
  EXPECT_EQ(WrittenOf(&limiter, 1000, 100, 1000, kStart), 10000U);
  EXPECT_EQ(WrittenOf(&limiter, 1001, 100, 3000, kStart), 12000U);
  EXPECT_EQ(WrittenOf(&limiter, 1001, 100, 3000, kStart + milliseconds(200)), 0U)
      << "the debt was not paid yet";
  EXPECT_EQ(WrittenOf(&limiter, 1001, 100, 3000, kStart + milliseconds(300)), 3000U);
  size_t written = 0;
  for (int i = 0; i < 10000; ++i) {
    written += WrittenOf(&limiter, 1002, 1, 3000, kStart + milliseconds(i));
  }
  EXPECT_LE(written, 11 * 10000U + 3000U);
  EXPECT_GE(written, 10 * 10000U);
}

TEST(RateLimiterTest, LinesThatAreWrittenAnywayTakeWhatIsLeftAndOweNothing) {
  RateLimiter limiter({.lines = 100, .bytes = 10000}, 1);
  for (int i = 0; i < 100; ++i) {
    limiter.Charge(1000, 3000, RateLimiter::Charged::kAnyway, kStart);
  }
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 5, kStart), 0);
  EXPECT_EQ(AdmittedOf(&limiter, 1000, 5, kStart + milliseconds(100)), 5);
  auto told = limiter.TakeSuppressed(RateLimiter::Time::max());
  ASSERT_TRUE(told);
  EXPECT_EQ(told->lines, 5U);
}

// Root never shares a slot, whatever the number of other users.
TEST(RateLimiterTest, RootHasASlotOfItsOwn) {
  RateLimiter limiter({.lines = 10}, 42);
  for (uid_t uid = 1; uid < 70000; ++uid) AdmittedOf(&limiter, uid, 11, kStart);
  EXPECT_EQ(AdmittedOf(&limiter, 0, 11, kStart), 10);
  bool told_root = false;
  while (const auto told = limiter.TakeSuppressed(RateLimiter::Time::max())) {
    if (told->uid == 0U) told_root = told->lines == 1;
  }
  EXPECT_TRUE(told_root);
}

}  // namespace
}  // namespace proxyd
