// SPDX-License-Identifier: Apache-2.0
//
// DeadlineQueue: which deadlines expire, in which order, and what their callbacks may do.
#include "proxy/deadline_queue.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/run_until.h"
#include "ttrpc/event_loop.h"

namespace proxyd {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// A deadline that runs the test's function when it expires.
struct Waiting {
  explicit Waiting(std::function<void()> act)
      : action(std::move(act)),
        deadline([](void* self) { static_cast<Waiting*>(self)->action(); }, this) {}
  std::function<void()> action;
  Deadline deadline;
};

class DeadlineQueueTest : public testing::Test {
 protected:
  std::unique_ptr<Waiting> Log(const std::string& name) {
    return std::make_unique<Waiting>([this, name] { log_.push_back(name); });
  }
  void RunUntil(const std::function<bool()>& done) { ::test::RunUntil(loop_, done); }

  ttrpc::EventLoop loop_;
  std::vector<std::string> log_;
};

TEST_F(DeadlineQueueTest, ExpireInTheOrderInWhichTheyStarted) {
  DeadlineQueue queue(loop_.io(), milliseconds(20));
  const auto a = Log("a"), b = Log("b"), c = Log("c");
  const auto start = std::chrono::steady_clock::now();
  for (Waiting* waiting : {b.get(), a.get(), c.get()}) queue.Start(&waiting->deadline);
  EXPECT_TRUE(a->deadline.active());
  RunUntil([this] { return log_.size() == 3; });
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(20));
  EXPECT_EQ(log_, (std::vector<std::string>{"b", "a", "c"}));
  EXPECT_FALSE(a->deadline.active());
}

TEST_F(DeadlineQueueTest, StartedAgainItIsTheLast) {
  DeadlineQueue queue(loop_.io(), milliseconds(20));
  const auto a = Log("a"), b = Log("b");
  queue.Start(&a->deadline);
  queue.Start(&b->deadline);
  queue.Start(&a->deadline);
  RunUntil([this] { return log_.size() == 2; });
  EXPECT_EQ(log_, (std::vector<std::string>{"b", "a"}));
}

TEST_F(DeadlineQueueTest, StoppedOrDestroyedItDoesNotExpire) {
  DeadlineQueue queue(loop_.io(), milliseconds(5));
  const auto a = Log("a"), c = Log("c");
  auto b = Log("b");
  for (Waiting* waiting : {a.get(), b.get(), c.get()}) queue.Start(&waiting->deadline);
  a->deadline.Stop();
  b.reset();
  RunUntil([this] { return !log_.empty(); });
  EXPECT_EQ(log_, std::vector<std::string>{"c"});
}

// The timer was started for a deadline that is gone. The next deadline still has all its time.
TEST_F(DeadlineQueueTest, OneThatGoesDoesNotTakeTheOthersTime) {
  DeadlineQueue queue(loop_.io(), milliseconds(50));
  const auto a = Log("a"), b = Log("b");
  queue.Start(&a->deadline);
  bool passed = false;
  ttrpc::Timer timer(loop_.io(), [&passed] { passed = true; });
  timer.Start(milliseconds(25));
  RunUntil([&passed] { return passed; });
  a->deadline.Stop();
  const auto start = std::chrono::steady_clock::now();
  queue.Start(&b->deadline);
  RunUntil([this] { return !log_.empty(); });
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(50));
}

TEST_F(DeadlineQueueTest, OneThatExpiresMayDestroyItselfAndTheNextAndStartAnother) {
  DeadlineQueue queue(loop_.io(), milliseconds(5));
  auto last = Log("last");
  auto next = Log("next");
  std::unique_ptr<Waiting> first = std::make_unique<Waiting>([&] {
    log_.push_back("first");
    next.reset();
    queue.Start(&last->deadline);
    first.reset();
  });
  queue.Start(&first->deadline);
  queue.Start(&next->deadline);
  RunUntil([this] { return log_.size() == 2; });
  EXPECT_EQ(log_, (std::vector<std::string>{"first", "last"}));
}

TEST_F(DeadlineQueueTest, ZeroIsNever) {
  DeadlineQueue never(loop_.io(), nanoseconds(0));
  DeadlineQueue queue(loop_.io(), milliseconds(5));
  const auto a = Log("a"), b = Log("b");
  queue.Start(&a->deadline);
  // The deadline leaves the other queue in any case.
  never.Start(&a->deadline);
  queue.Start(&b->deadline);
  RunUntil([this] { return !log_.empty(); });
  EXPECT_EQ(log_, std::vector<std::string>{"b"});
}

TEST_F(DeadlineQueueTest, AnotherDelayCountsFromWhenTheyStarted) {
  DeadlineQueue queue(loop_.io(), nanoseconds(0));
  const auto a = Log("a"), b = Log("b"), c = Log("c");
  const auto start = std::chrono::steady_clock::now();
  queue.Start(&a->deadline);
  queue.Start(&b->deadline);
  queue.SetDelay(std::chrono::hours(1));
  queue.SetDelay(milliseconds(30));
  RunUntil([this] { return log_.size() == 2; });
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(30));
  EXPECT_EQ(log_, (std::vector<std::string>{"a", "b"}));
  queue.Start(&c->deadline);
  queue.SetDelay(nanoseconds(0));
  DeadlineQueue other(loop_.io(), milliseconds(40));
  other.Start(&a->deadline);
  RunUntil([this] { return log_.size() == 3; });
  EXPECT_EQ(log_.back(), "a");
  EXPECT_TRUE(c->deadline.active());
  queue.SetDelay(milliseconds(1));  // less time than has passed already
  RunUntil([this] { return log_.size() == 4; });
  EXPECT_EQ(log_.back(), "c");
}

TEST_F(DeadlineQueueTest, TheQueueMayGoFirst) {
  auto queue = std::make_unique<DeadlineQueue>(loop_.io(), milliseconds(1));
  const auto a = Log("a"), b = Log("b");
  queue->Start(&a->deadline);
  queue->Start(&b->deadline);
  queue.reset();
  a->deadline.Stop();
  bool passed = false;
  ttrpc::Timer timer(loop_.io(), [&passed] { passed = true; });
  timer.Start(milliseconds(5));
  RunUntil([&passed] { return passed; });
  EXPECT_EQ(log_, std::vector<std::string>());
}

}  // namespace
}  // namespace proxyd
