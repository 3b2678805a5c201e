// SPDX-License-Identifier: Apache-2.0
#include "proxy/backend.h"

#include <gtest/gtest.h>

namespace proxyd {
namespace {

using namespace std::chrono_literals;

class BackendTest : public ::testing::Test {
 protected:
  void FailCostly(Backend::Clock::time_point now) {
    backend_.Failed(Backend::Failure::kCostly, "broken", now);
  }

  const BackendConfig config_ = {.name = "back",
                                 .address = ttrpc::Address::Parse("unix:///x").value(),
                                 .users = {0},
                                 .position = {}};
  Backend backend_{config_};
  Backend::Clock::time_point now_ = Backend::Clock::now();
};

TEST_F(BackendTest, CostlyFailuresDoubleTheWaitUpToASecond) {
  EXPECT_TRUE(backend_.MayTry(now_));
  for (const auto wait : {50ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    FailCostly(now_);
    EXPECT_FALSE(backend_.MayTry(now_ + wait - 1ms)) << wait.count();
    now_ += wait;
    EXPECT_TRUE(backend_.MayTry(now_)) << wait.count();
  }
  backend_.Succeeded();
  FailCostly(now_);
  EXPECT_TRUE(backend_.MayTry(now_ + 50ms));
}

TEST_F(BackendTest, CheapFailuresAreTriedByEachCall) {
  backend_.Failed(Backend::Failure::kCheap, "not there", now_);
  EXPECT_TRUE(backend_.MayTry(now_));
}

// Many peers wait for one accept queue, and give up together.
TEST_F(BackendTest, AttemptsThatFailTogetherAreOneFailure) {
  for (int i = 0; i < 100; ++i) FailCostly(now_);
  EXPECT_TRUE(backend_.MayTry(now_ + 50ms));
}

}  // namespace
}  // namespace proxyd
