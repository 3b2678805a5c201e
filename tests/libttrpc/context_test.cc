// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/context.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <vector>

#include "ttrpc/task.h"

namespace ttrpc {
namespace {

const Status kCancelled(StatusCode::kCancelled, "context canceled");

TEST(ContextTest, CancelKeepsTheFirstReason) {
  Context context;
  EXPECT_FALSE(context.cancelled());
  EXPECT_EQ(context.status(), Status());
  context.Cancel(Status());  // an OK status is not a reason
  EXPECT_FALSE(context.cancelled());
  context.Cancel();
  context.Cancel({StatusCode::kDeadlineExceeded, "too late"});
  EXPECT_EQ(context.status(), kCancelled);
}

TEST(ContextTest, HooksAreToldOnce) {
  Context context;
  std::vector<Status> told;
  const CancelHook hook(context, [&told](const Status& reason) { told.push_back(reason); });
  context.Cancel();
  context.Cancel();
  EXPECT_EQ(told, std::vector<Status>{kCancelled});
  const CancelHook late(context, [&told](const Status& reason) { told.push_back(reason); });
  context.Cancel();
  EXPECT_EQ(told.size(), 1U);
}

TEST(ContextTest, EitherOfContextAndHookMayGoFirst) {
  int told = 0;
  auto context = std::make_unique<Context>();
  auto first = std::make_unique<CancelHook>(*context, [&told](const Status&) { ++told; });
  auto second = std::make_unique<CancelHook>(*context, [&told](const Status&) { ++told; });
  auto third = std::make_unique<CancelHook>(*context, [&told](const Status&) { ++told; });
  second.reset();
  context->Cancel();
  EXPECT_EQ(told, 2);
  auto fourth = std::make_unique<CancelHook>(*context, [&told](const Status&) { ++told; });
  context.reset();
  first.reset();
  EXPECT_EQ(told, 2);
}

TEST(ContextTest, AHookMayDestroyAnyHookAndTheContextWhileItIsTold) {
  auto context = std::make_unique<Context>();
  std::unique_ptr<CancelHook> first, second, third;
  int told = 0;
  const auto destroy_all = [&](const Status& reason) {
    ++told;
    EXPECT_EQ(reason, kCancelled);
    first.reset();
    second.reset();
    third.reset();
    context.reset();
  };
  first = std::make_unique<CancelHook>(*context, destroy_all);
  second = std::make_unique<CancelHook>(*context, destroy_all);
  third = std::make_unique<CancelHook>(*context, destroy_all);
  context->Cancel();
  EXPECT_EQ(told, 1);
}

Task<void> AwaitCancelled(Context* context, int* gone_on) {
  co_await context->Cancelled();
  ++*gone_on;
}

TEST(ContextTest, CancelledCanBeAwaited) {
  Context context;
  int gone_on = 0;
  TaskGroup tasks;
  tasks.Spawn(AwaitCancelled(&context, &gone_on));
  tasks.Spawn(AwaitCancelled(&context, &gone_on));
  EXPECT_EQ(gone_on, 0);
  context.Cancel();
  EXPECT_EQ(gone_on, 2);
  tasks.Spawn(AwaitCancelled(&context, &gone_on));
  EXPECT_EQ(gone_on, 3);
}

TEST(ContextTest, WhoeverAwaitsItMayBeDropped) {
  Context context;
  int gone_on = 0;
  {
    TaskGroup tasks;
    tasks.Spawn(AwaitCancelled(&context, &gone_on));
  }
  context.Cancel();
  EXPECT_EQ(gone_on, 0);
}

TEST(ContextTest, NoTimeoutIsTooLong) {
  Context context;
  context.set_timeout(std::chrono::nanoseconds::max());
  EXPECT_EQ(context.deadline(), Context::Clock::time_point::max());
  const auto before = Context::Clock::now();
  context.set_timeout(std::chrono::hours(1));
  EXPECT_GE(*context.deadline(), before + std::chrono::hours(1));
}

}  // namespace
}  // namespace ttrpc
