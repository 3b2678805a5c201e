// SPDX-License-Identifier: Apache-2.0
#include "proxy/pressure_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace proxyd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr uint64_t kMoving = PressedPeer::kMoving;
constexpr uint64_t kLongAgo = 10;
constexpr uint64_t kPatient = 100;  // peers stuck since before then may be closed

class PressurePlanTest : public ::testing::Test {
 protected:
  size_t AddUser(const PressedUser& user) {
    users_.push_back(user);
    return users_.size() - 1;
  }
  void AddPeer(size_t user, uint64_t held, uint64_t stuck_since) {
    peers_.push_back({.user = user, .held = held, .stuck_since = stuck_since});
  }
  // Returns the peers to be closed, by position, in order.
  std::vector<std::pair<size_t, Limit>> Closed(uint64_t excess, uint64_t stuck_before = kPatient) {
    std::vector<std::pair<size_t, Limit>> closed;
    for (const PressureClosing& closing : WhomToClose({.users = users_,
                                          .peers = peers_,
                                          .excess = excess,
                                          .light_below = 50,
                                          .stuck_before = stuck_before})) {
      closed.emplace_back(closing.peer, closing.limit);
    }
    return closed;
  }

  std::vector<PressedUser> users_;
  std::vector<PressedPeer> peers_;
};

TEST_F(PressurePlanTest, NobodyWhileAllFits) {
  AddPeer(AddUser({}), 1000, kLongAgo);
  EXPECT_THAT(Closed(0), IsEmpty());
  EXPECT_THAT(Closed(0, kAnyone), IsEmpty());
}

TEST_F(PressurePlanTest, AUserOverItsLimitLosesWhatIsStuckUntilTheRestFits) {
  const size_t user = AddUser({.excess = 150, .over = Limit::kBufferedPerUser});
  const size_t other = AddUser({});
  AddPeer(user, 100, 30);
  AddPeer(user, 100, kMoving);
  AddPeer(other, 100, 1);
  AddPeer(user, 100, 20);
  AddPeer(user, 100, 40);
  AddPeer(user, 100, kPatient);  // still has time
  EXPECT_THAT(Closed(0),
              ElementsAre(Pair(3, Limit::kBufferedPerUser), Pair(0, Limit::kBufferedPerUser)));
}

// Closing such a peer would free nothing.
TEST_F(PressurePlanTest, OfAUserOverItsLimitWhoHoldsLittleGoesLast) {
  const size_t user = AddUser({.excess = 100, .over = Limit::kBufferedPerUser});
  AddPeer(user, 10, 1);
  AddPeer(user, 80, 30);
  AddPeer(user, 10, 2);
  AddPeer(user, 0, 0);  // holds nothing at all
  EXPECT_THAT(Closed(0),
              ElementsAre(Pair(1, Limit::kBufferedPerUser), Pair(0, Limit::kBufferedPerUser),
                          Pair(2, Limit::kBufferedPerUser)));
}

TEST_F(PressurePlanTest, OfAllWhoHoldsMostGoesFirst) {
  const size_t light = AddUser({});
  const size_t heavy = AddUser({.over = Limit::kBuffered});
  AddPeer(light, 30, 1);
  AddPeer(heavy, 200, 50);
  AddPeer(heavy, 300, 40);
  EXPECT_THAT(Closed(400), ElementsAre(Pair(2, Limit::kBuffered), Pair(1, Limit::kBuffered)));
  EXPECT_THAT(Closed(520), ElementsAre(Pair(2, Limit::kBuffered), Pair(1, Limit::kBuffered),
                                       Pair(0, Limit::kBuffered)));
}

// There are many users who hold little each. One user holds more than any of them, and reads.
TEST_F(PressurePlanTest, AmongManyLightUsersWhoHasBeenStuckForLongestGoes) {
  AddPeer(AddUser({}), 300, kMoving);
  for (uint64_t i = 0; i < 20; ++i) AddPeer(AddUser({}), 10, 50 - i);
  EXPECT_THAT(Closed(25), ElementsAre(Pair(20, Limit::kBuffered), Pair(19, Limit::kBuffered),
                                      Pair(18, Limit::kBuffered)));
  // All stuck peers together are not enough, and the peer that reads stays.
  EXPECT_EQ(Closed(1000).size(), 20U);
  // The moving peer is closed as well when there is no time.
  const auto closed = Closed(1000, kAnyone);
  ASSERT_EQ(closed.size(), 21U);
  EXPECT_EQ(closed.back().first, 0U);
}

TEST_F(PressurePlanTest, OfTwoThatAreStuckForAsLongTheLargerGoes) {
  AddPeer(AddUser({}), 10, 5);
  AddPeer(AddUser({}), 20, 5);
  EXPECT_THAT(Closed(15), ElementsAre(Pair(1, Limit::kBuffered)));
}

TEST_F(PressurePlanTest, RootGoesForItsOwnLimitAlone) {
  AddPeer(AddUser({.root = true}), 1000, 1);
  AddPeer(AddUser({}), 10, 5);
  EXPECT_THAT(Closed(100), ElementsAre(Pair(1, Limit::kBuffered)));
  EXPECT_THAT(Closed(2000, kAnyone), ElementsAre(Pair(1, Limit::kBuffered)));
  users_[0].excess = 1;
  users_[0].over = Limit::kBufferedPerUser;
  EXPECT_THAT(Closed(0), ElementsAre(Pair(0, Limit::kBufferedPerUser)));
}

// A peer that is closed for its user's limit also counts for the total, and is closed once.
TEST_F(PressurePlanTest, WhatGoesForItsUserIsFreeForAll) {
  const size_t user = AddUser({.excess = 100, .over = Limit::kBufferedPerUser});
  AddPeer(user, 100, 1);
  AddPeer(AddUser({}), 30, 2);
  EXPECT_THAT(Closed(100), ElementsAre(Pair(0, Limit::kBufferedPerUser)));
  EXPECT_THAT(Closed(120),
              ElementsAre(Pair(0, Limit::kBufferedPerUser), Pair(1, Limit::kBuffered)));
}

}  // namespace
}  // namespace proxyd
