// SPDX-License-Identifier: Apache-2.0
#include "proxy/peer_timeouts.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>

#include "support/run_until.h"

namespace proxyd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr Duration kShort = milliseconds(1);
constexpr Duration kNever{0};

class PeerTimeoutsTest : public ::testing::Test, private PeerTimeouts::Owner {
 protected:
  // All timeouts are too long to expire in a test, except those that the test sets.
  static TimeoutsConfig Long() {
    TimeoutsConfig timeouts;
    timeouts.first_request = timeouts.partial_message = timeouts.idle = timeouts.write = hours(1);
    return timeouts;
  }
  PeerTimeouts& With(const TimeoutsConfig& config) {
    deadlines_ = MakeRef<PeerDeadlines>(loop_.io(), config);
    return timeouts_.emplace(deadlines_, static_cast<PeerTimeouts::Owner&>(*this));
  }
  void RunUntilTimeout() {
    ::test::RunUntil(loop_, [this] { return timeouts_seen_ > 0; });
  }
  // Waits until a deadline of kShort that runs already has passed.
  void PassShort() {
    bool passed = false;
    ttrpc::Timer timer(loop_.io(), [&passed] { passed = true; });
    timer.Start(10 * kShort);
    ::test::RunUntil(loop_, [&passed] { return passed; });
  }

  void OnTimeout(PeerTimeout timeout) override {
    ++timeouts_seen_;
    last_ = timeout;
  }
  bool reading_paused() const override {
    ++asked_;
    return paused_;
  }

  ttrpc::EventLoop loop_;
  Ref<PeerDeadlines> deadlines_;
  std::optional<PeerTimeouts> timeouts_;
  int timeouts_seen_ = 0;
  std::optional<PeerTimeout> last_;
  bool paused_ = false;
  mutable int asked_ = 0;
};

TEST_F(PeerTimeoutsTest, TheFirstRequestHasATimeoutOfItsOwn) {
  TimeoutsConfig config = Long();
  config.first_request = kShort;
  With(config).AwaitFirstRequest();
  RunUntilTimeout();
  EXPECT_EQ(timeouts_seen_, 1);
  EXPECT_EQ(last_, PeerTimeout::kFirstRequest);
}

// A peer that has sent nothing has no call either.
TEST_F(PeerTimeoutsTest, AShorterIdleTimeoutCountsFromTheStart) {
  TimeoutsConfig config = Long();
  config.idle = kShort;
  With(config).AwaitFirstRequest();
  RunUntilTimeout();
  EXPECT_EQ(last_, PeerTimeout::kIdle);
  config.first_request = kNever;
  timeouts_seen_ = 0;
  With(config).AwaitFirstRequest();
  RunUntilTimeout();
}

TEST_F(PeerTimeoutsTest, ARequestEndsTheWait) {
  TimeoutsConfig config = Long();
  config.first_request = kShort;
  PeerTimeouts& timeouts = With(config);
  timeouts.AwaitFirstRequest();
  timeouts.RequestCame();
  PassShort();
  EXPECT_EQ(timeouts_seen_, 0);
}

TEST_F(PeerTimeoutsTest, AfterItsLastCallItMayBeIdle) {
  TimeoutsConfig config = Long();
  config.idle = kShort;
  PeerTimeouts& timeouts = With(config);
  timeouts.RequestCame();
  timeouts.AwaitRequest();
  RunUntilTimeout();
  EXPECT_EQ(last_, PeerTimeout::kIdle);
}

TEST_F(PeerTimeoutsTest, AMessageThatDoesNotEndIsLate) {
  TimeoutsConfig config = Long();
  config.partial_message = kShort;
  PeerTimeouts& timeouts = With(config);
  timeouts.OnPartialMessage(true);
  timeouts.OnPartialMessage(false);
  PassShort();
  EXPECT_EQ(timeouts_seen_, 0);
  timeouts.OnPartialMessage(true);
  RunUntilTimeout();
  EXPECT_EQ(last_, PeerTimeout::kPartialMessage);
}

// The message is late only because the proxy does not read it.
TEST_F(PeerTimeoutsTest, WhileReadingIsPausedNoMessageIsLate) {
  TimeoutsConfig config = Long();
  config.partial_message = kShort;
  paused_ = true;
  With(config).OnPartialMessage(true);
  ::test::RunUntil(loop_, [this] { return asked_ >= 2; });
  EXPECT_EQ(timeouts_seen_, 0);
  paused_ = false;
  RunUntilTimeout();
}

TEST_F(PeerTimeoutsTest, APeerThatTakesNoBytesIsLate) {
  TimeoutsConfig config = Long();
  config.write = kShort;
  PeerTimeouts& timeouts = With(config);
  timeouts.OnWriteBlocked(true);
  timeouts.OnWriteBlocked(false);
  PassShort();
  EXPECT_EQ(timeouts_seen_, 0);
  timeouts.OnWriteBlocked(true);
  RunUntilTimeout();
  EXPECT_EQ(last_, PeerTimeout::kWrite);
}

TEST_F(PeerTimeoutsTest, StoppedItWaitsForNothing) {
  TimeoutsConfig config;
  config.first_request = config.partial_message = config.idle = config.write = kShort;
  PeerTimeouts& timeouts = With(config);
  timeouts.AwaitFirstRequest();
  timeouts.OnPartialMessage(true);
  timeouts.OnWriteBlocked(true);
  timeouts.Stop();
  PassShort();
  EXPECT_EQ(timeouts_seen_, 0);
}

// A new timeout also applies to peers that are waited for already, from the start of the wait.
TEST_F(PeerTimeoutsTest, AReloadChangesTheTimeoutsOfAll) {
  With(Long()).AwaitFirstRequest();
  TimeoutsConfig config = Long();
  config.first_request = kShort;
  deadlines_->Set(config);
  RunUntilTimeout();
}

}  // namespace
}  // namespace proxyd
