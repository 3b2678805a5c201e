// SPDX-License-Identifier: Apache-2.0
//
// EventLoop on its own: what ends Run() and RunForever(), and what does not.
#include "ttrpc/event_loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>

#include "sleep.h"
#include "ttrpc/timer.h"

namespace ttrpc {
namespace {

// SIGALRM ends a test that hangs although it should end at once.
constexpr unsigned kHangs = 60;

std::unique_ptr<Timer> Soon(EventLoop& loop, std::function<void()> callback) {
  auto timer = std::make_unique<Timer>(loop.io(), std::move(callback));
  timer->Start(std::chrono::nanoseconds(0));
  return timer;
}

// Resumes in a later turn of the loop.
Task<void> TakeATurn(EventLoop* loop) {
  Sleep turn(loop->io(), std::chrono::nanoseconds(0));
  co_await turn;
}

Task<void> TakeTurns(EventLoop* loop, int count, int* taken) {
  for (int i = 0; i < count; ++i) {
    co_await TakeATurn(loop);
    ++*taken;
  }
}

// Can neither be copied nor default-constructed.
class Parcel {
 public:
  explicit Parcel(int number) : number_(std::make_unique<int>(number)) {}
  int number() const { return *number_; }

 private:
  std::unique_ptr<int> number_;
};

Task<Parcel> ParcelAtOnce(int number) { co_return Parcel(number); }

Task<Parcel> ParcelInATurn(EventLoop* loop, int number) {
  co_await TakeATurn(loop);
  co_return Parcel(number);
}

TEST(EventLoopTest, RunGivesTheValueOfATaskThatWaits) {
  EventLoop loop;
  EXPECT_EQ(loop.Run(ParcelInATurn(&loop, 7)).number(), 7);
}

TEST(EventLoopTest, RunGivesTheValueOfATaskThatDoesNotWait) {
  EventLoop loop;
  EXPECT_EQ(loop.Run(ParcelAtOnce(7)).number(), 7);
}

TEST(EventLoopTest, RunReturnsNoSoonerThanATaskWithoutValueEnds) {
  EventLoop loop;
  int taken = 0;
  loop.Run(TakeTurns(&loop, 5, &taken));
  EXPECT_EQ(taken, 5);
}

Task<void> DoNothing() { co_return; }

TEST(EventLoopTest, RunReturnsThoughATaskWithoutValueDidNotWait) {
  EventLoop loop;
  loop.Run(DoNothing());
  // A task that ended before the loop started must not end the loop of the next task.
  int taken = 0;
  loop.Run(TakeTurns(&loop, 1, &taken));
  EXPECT_EQ(taken, 1);
}

TEST(EventLoopTest, WhatOneRunLeftWaitingGoesOnInTheNext) {
  EventLoop loop;
  int taken_by_other = 0;
  TaskGroup tasks;
  tasks.Spawn(TakeTurns(&loop, 3, &taken_by_other));
  int taken = 0;
  loop.Run(TakeTurns(&loop, 1, &taken));
  EXPECT_LT(taken_by_other, 3);
  loop.Run(TakeTurns(&loop, 4, &taken));
  EXPECT_EQ(taken_by_other, 3);
}

TEST(EventLoopTest, StopDoesNotEndARunBeforeItsTask) {
  EventLoop loop;
  bool stopped = false;
  const auto stop = Soon(loop, [&] {
    stopped = true;
    loop.Stop();
  });
  int taken = 0;
  loop.Run(TakeTurns(&loop, 5, &taken));
  EXPECT_TRUE(stopped);
  EXPECT_EQ(taken, 5);
}

TEST(EventLoopTest, ACallbackStopsRunForever) {
  EventLoop loop;
  int calls = 0;
  std::unique_ptr<Timer> timer;
  // The first turns do not end the loop.
  timer = Soon(loop, [&] {
    if (++calls == 5) return loop.Stop();
    timer->Start(std::chrono::nanoseconds(0));
  });
  loop.RunForever();
  EXPECT_EQ(calls, 5);
}

Task<void> StopInATurn(EventLoop* loop, int* taken) {
  co_await TakeTurns(loop, 5, taken);
  loop->Stop();
}

TEST(EventLoopTest, ATaskStopsRunForever) {
  EventLoop loop;
  int taken = 0;
  TaskGroup tasks;
  tasks.Spawn(StopInATurn(&loop, &taken));
  loop.RunForever();
  EXPECT_EQ(taken, 5);
  EXPECT_TRUE(tasks.empty());
}

TEST(EventLoopTest, OneThatWasStoppedRunsAgain) {
  EventLoop loop;
  const auto stop = Soon(loop, [&loop] { loop.Stop(); });
  loop.RunForever();
  int taken = 0;
  loop.Run(TakeTurns(&loop, 5, &taken));
  EXPECT_EQ(taken, 5);
  TaskGroup tasks;
  tasks.Spawn(StopInATurn(&loop, &taken));
  loop.RunForever();
  EXPECT_EQ(taken, 10);
}

TEST(EventLoopTest, ItsIoRunsOnItsBase) {
  EventLoop loop;
  ASSERT_NE(loop.base(), nullptr);
  EXPECT_EQ(loop.io().base(), loop.base());
}

TEST(EventLoopTest, EachRunsItsOwnCallbacksOnly) {
  EventLoop loop, other;
  bool fired = false;
  const auto timer = Soon(other, [&fired] { fired = true; });
  int taken = 0;
  loop.Run(TakeTurns(&loop, 2, &taken));
  EXPECT_FALSE(fired);
  other.Run(TakeTurns(&other, 2, &taken));
  EXPECT_TRUE(fired);
}

Task<void> RunWithin(EventLoop* running, EventLoop* inner, int* taken) {
  co_await TakeATurn(running);
  inner->Run(TakeTurns(inner, 1, taken));
}

TEST(EventLoopTest, ATaskMayRunAnotherLoop) {
  EventLoop loop, inner;
  int taken = 0;
  loop.Run(RunWithin(&loop, &inner, &taken));
  EXPECT_EQ(taken, 1);
}

TEST(EventLoopTest, StopLeavesTimeToTheCallbacksThatAreDue) {
  EventLoop loop;
  int calls = 0;
  const auto call = [&] {
    ++calls;
    loop.Stop();
  };
  // Both timers are due when the loop begins.
  const auto one = Soon(loop, call);
  const auto other = Soon(loop, call);
  loop.RunForever();
  EXPECT_EQ(calls, 2);
}

TEST(EventLoopDeathTest, RunFromWithinATaskOfTheLoopEndsTheProgram) {
  EXPECT_EXIT(
      {
        ::alarm(kHangs);
        EventLoop loop;
        int taken = 0;
        loop.Run(RunWithin(&loop, &loop, &taken));
      },
      testing::KilledBySignal(SIGABRT), "");
}

TEST(EventLoopDeathTest, RunFromWithinACallbackOfTheLoopEndsTheProgram) {
  EXPECT_EXIT(
      {
        ::alarm(kHangs);
        EventLoop loop;
        int taken = 0;
        const auto timer = Soon(loop, [&] { loop.Run(TakeTurns(&loop, 1, &taken)); });
        loop.RunForever();
      },
      testing::KilledBySignal(SIGABRT), "");
}

TEST(EventLoopDeathTest, NoRoomForALoopEndsTheProgram) {
  EXPECT_EXIT(
      {
        // libevent disables the methods that these variables name, so that none is left.
        for (const char* name : {"EVENT_NOEPOLL", "EVENT_NOPOLL", "EVENT_NOSELECT"}) {
          ::setenv(name, "1", 1);
        }
        const EventLoop loop;
      },
      testing::KilledBySignal(SIGABRT), "");
}

}  // namespace
}  // namespace ttrpc
