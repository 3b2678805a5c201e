// SPDX-License-Identifier: Apache-2.0
#include "run/background.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "support/no_more_descriptors.h"
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
    std::unique_ptr<Work> next = std::make_unique<Noting>(seen_, again_);
    EXPECT_TRUE(again_->Run(&next).ok());
    EXPECT_FALSE(next);
  }

 private:
  Seen* seen_;
  Background* again_;
};

TEST(BackgroundTest, WorksOnAnotherThreadAndFinishesOnTheLoopWhichMayGoOn) {
  ttrpc::EventLoop loop;
  Background background(loop.base());
  Seen seen;
  std::unique_ptr<Background::Work> work = std::make_unique<Noting>(&seen, &background);
  ASSERT_TRUE(background.Run(&work).ok());
  EXPECT_FALSE(work);
  EXPECT_TRUE(background.busy());
  ::test::RunUntil(loop, [&] { return seen.count == 3; });
  EXPECT_FALSE(background.busy());
  EXPECT_EQ(seen.finished, std::this_thread::get_id());
  EXPECT_NE(seen.done, std::this_thread::get_id());
}

TEST(BackgroundTest, WithoutADescriptorTheWorkStaysTheCallers) {
  ttrpc::EventLoop loop;
  Background background(loop.base());
  Seen seen;
  std::unique_ptr<Background::Work> work = std::make_unique<Noting>(&seen, &background);
  {
    const ::test::NoMoreDescriptors none;
    EXPECT_FALSE(background.Run(&work).ok());
  }
  EXPECT_TRUE(work);
  EXPECT_FALSE(background.busy());
  EXPECT_TRUE(background.Run(&work).ok());
  ::test::RunUntil(loop, [&] { return seen.count == 3; });
}

}  // namespace
}  // namespace proxyd
