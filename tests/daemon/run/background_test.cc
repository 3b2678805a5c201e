// SPDX-License-Identifier: Apache-2.0
#include "run/background.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "support/run_until.h"
#include "ttrpc/event_loop.h"

namespace proxyd {
namespace {

// The threads on which Do() and Finish() ran last, and how often Finish() did.
struct Seen {
  std::thread::id done;
  std::thread::id finished;
  int count = 0;
};

class Noting : public Background::Work {
 public:
  Noting(Seen* seen, Background* again) : seen_(seen), again_(again) {}
  void Do() override { seen_->done = std::this_thread::get_id(); }
  void Finish() override {
    seen_->finished = std::this_thread::get_id();
    ++seen_->count;
    EXPECT_FALSE(again_->busy());
    if (seen_->count == 3) return;
    EXPECT_TRUE(again_->Run(std::make_unique<Noting>(seen_, again_)).ok());
  }

 private:
  Seen* seen_;
  Background* again_;
};

TEST(BackgroundTest, WorksOnAnotherThreadAndFinishesOnTheLoopWhichMayGoOn) {
  ttrpc::EventLoop loop;
  Background background(loop.base());
  Seen seen;
  ASSERT_TRUE(background.Run(std::make_unique<Noting>(&seen, &background)).ok());
  EXPECT_TRUE(background.busy());
  ::test::RunUntil(loop, [&] { return seen.count == 3; });
  EXPECT_FALSE(background.busy());
  EXPECT_EQ(seen.finished, std::this_thread::get_id());
  EXPECT_NE(seen.done, std::this_thread::get_id());
}

}  // namespace
}  // namespace proxyd
