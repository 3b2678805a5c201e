// SPDX-License-Identifier: Apache-2.0
#include "observe/audit_shares.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace proxyd {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kPool = AuditShares::kPoolBytes / kKiB;  // in lines of 1 KiB

class AuditSharesTest : public testing::Test {
 protected:
  // Returns how many reservations of 1 KiB the user gets, up to `most`. All are kept.
  size_t Reserve(uid_t uid, size_t most = kPool) {
    size_t got = 0;
    for (AuditReservation reservation; got < most && shares_->Reserve(uid, kKiB, &reservation);
         ++got) {
      reservations_.push_back(std::move(reservation));
    }
    return got;
  }
  size_t Queue(uid_t uid, size_t most = kPool) {
    size_t got = 0;
    while (got < most && shares_->Queue(uid, kKiB, {})) ++got;
    return got;
  }

  const std::unique_ptr<AuditShares> shares_ = std::make_unique<AuditShares>(1);
  std::vector<AuditReservation> reservations_;
};

TEST_F(AuditSharesTest, OneUserGetsHalfAndTwoAThirdEach) {
  EXPECT_EQ(Reserve(1000), kPool / 2);
  EXPECT_EQ(Reserve(1001), kPool / 4) << "half of what was left";
  reservations_.clear();
  size_t first = 0;
  size_t second = 0;
  for (size_t i = 0; i < kPool; ++i) {
    first += Reserve(1000, 1);
    second += Reserve(1001, 1);
  }
  EXPECT_NEAR(static_cast<double>(first), kPool / 3.0, 1);
  EXPECT_NEAR(static_cast<double>(second), kPool / 3.0, 1);
}

TEST_F(AuditSharesTest, RootsShareIsKeptWhoeverElseThereIs) {
  for (uid_t uid = 1; uid < 70000; ++uid) {
    Reserve(uid);
    Queue(uid);
  }
  EXPECT_EQ(Reserve(0), kPool / 2);
}

TEST_F(AuditSharesTest, CallsAreRefusedBeforeLinesAreLost) {
  EXPECT_EQ(Reserve(1000), kPool / 2);
  EXPECT_FALSE(shares_->Reserve(1000, kKiB, nullptr));
  EXPECT_EQ(Queue(1000), kPool * 2 / 3 - kPool / 2);
  EXPECT_FALSE(shares_->Reserve(1000, 0, nullptr)) << "a call without a line";
  EXPECT_TRUE(shares_->Reserve(1001, 0, nullptr));
}

TEST_F(AuditSharesTest, AReservationIsTakenUpByItsLineWhateverElseIsQueued) {
  const size_t reserved = Reserve(1000);
  Queue(1000);
  for (uid_t uid = 2000; uid < 2100; ++uid) Queue(uid);
  for (AuditReservation& reservation : reservations_) {
    EXPECT_TRUE(shares_->Queue(1000, kKiB / 2, std::move(reservation)));
    EXPECT_TRUE(reservation.empty());
  }
  reservations_.clear();
  shares_->Release();
  EXPECT_EQ(Reserve(1000), reserved) << "all is free again";
}

TEST_F(AuditSharesTest, WhatIsQueuedIsHeldUntilItIsReleased) {
  EXPECT_EQ(Queue(1000), kPool * 2 / 3);
  EXPECT_EQ(Reserve(1000), 0U);
  EXPECT_GT(Reserve(1001, 10), 0U) << "a new user always finds some room";
  shares_->Release();
  EXPECT_GT(Reserve(1000, 10), 0U);
}

TEST_F(AuditSharesTest, ShortLinesAreBoundedInNumber) {
  size_t lines = 0;
  while (shares_->Queue(1000, 1, {})) ++lines;
  EXPECT_LE(lines, AuditShares::kPoolBytes / AuditShares::kLeastLine);
}

TEST_F(AuditSharesTest, AReservationThatIsDroppedIsGivenBackOnce) {
  {
    AuditReservation reservation;
    ASSERT_TRUE(shares_->Reserve(1000, AuditShares::kPoolBytes / 2, &reservation));
    AuditReservation moved = std::move(reservation);
    EXPECT_FALSE(shares_->Reserve(1000, kKiB, &reservation));
    moved = AuditReservation();
    EXPECT_TRUE(shares_->Reserve(1000, kKiB, &reservation));
  }
  EXPECT_EQ(Reserve(1000), kPool / 2);
}

// Users without a slot share one, and leave nothing in it.
TEST_F(AuditSharesTest, NothingIsLeftOfManyUsersWhenTheyAreDone) {
  for (uid_t uid = 1; uid < 70000; ++uid) {
    Reserve(uid, 1);
    Queue(uid, 1);
  }
  reservations_.clear();
  shares_->Release();
  EXPECT_EQ(Reserve(5), kPool / 2);
}

TEST_F(AuditSharesTest, ManyThreadsNeverHaveMoreThanThereIs) {
  std::atomic<int64_t> held = 0;
  std::atomic<bool> over = false;
  std::vector<std::thread> threads;
  for (uid_t uid = 1000; uid < 1004; ++uid) {
    threads.emplace_back([&, uid] {
      for (int i = 0; i < 200; ++i) {
        std::vector<AuditReservation> mine;
        AuditReservation reservation;
        while (mine.size() < 64 && shares_->Reserve(uid, 100 * kKiB, &reservation)) {
          held += 100 * kKiB;
          mine.push_back(std::move(reservation));
        }
        if (held > AuditShares::kPoolBytes) over = true;
        held -= static_cast<int64_t>(mine.size() * 100 * kKiB);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(over);
  EXPECT_EQ(Reserve(1000), kPool / 2);
}

}  // namespace
}  // namespace proxyd
