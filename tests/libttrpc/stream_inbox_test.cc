// SPDX-License-Identifier: Apache-2.0
//
// StreamInbox on its own: which messages it delivers, when, and to which waiter.
#include "stream_inbox.h"

#include <array>
#include <coroutine>
#include <cstddef>
#include <new>
#include <string>
#include <vector>

#include "stream_inbox_harness.h"

namespace ttrpc {
namespace {

using test::Got;
using test::OwnedInbox;
using test::TakeAll;

using StreamInboxTest = test::StreamInboxFixture;

// Messages and the end of a stream.

TEST_F(StreamInboxTest, GivesMessagesInTheirOrder) {
  const auto stream = Open();
  for (const char* message : {"one", "", "three"}) stream->inbox.Push(message);
  EXPECT_EQ(Take(*stream), "one");
  stream->inbox.Push("four");
  EXPECT_EQ(Take(*stream), "");
  EXPECT_EQ(Take(*stream), "three");
  EXPECT_EQ(Take(*stream), "four");
  EXPECT_EQ(Take(*stream), "nothing yet");
}

TEST_F(StreamInboxTest, IsEmptyUntilThereIsAMessageAndAfterItWasTaken) {
  const auto stream = Open();
  EXPECT_TRUE(stream->inbox.empty());
  stream->inbox.Push("");
  EXPECT_FALSE(stream->inbox.empty());
  Take(*stream);
  EXPECT_TRUE(stream->inbox.empty());
}

TEST_F(StreamInboxTest, AMessageWakesWhoWaits) {
  const auto stream = Open();
  Got got;
  TaskGroup tasks;
  tasks.Spawn(TakeAll(&stream->inbox, &got));
  RunReady();
  EXPECT_EQ(got, Got());
  stream->inbox.Push("one");
  EXPECT_EQ(got, Got()) << "resumed within a connection's callback";
  RunReady();
  EXPECT_EQ(got, Got{"one"});
  // The reader waits again, and gets everything that has arrived when it resumes.
  stream->inbox.Push("two");
  stream->inbox.Push("three");
  RunReady();
  EXPECT_EQ(got, (Got{"one", "two", "three"}));
}

TEST_F(StreamInboxTest, TheEndWakesWhoWaits) {
  const auto stream = Open();
  Got got;
  TaskGroup tasks;
  tasks.Spawn(TakeAll(&stream->inbox, &got));
  RunReady();
  stream->inbox.End({});
  EXPECT_EQ(got, Got()) << "resumed within a connection's callback";
  RunReady();
  EXPECT_EQ(got, Got{"the end"});
  EXPECT_TRUE(tasks.empty());
}

TEST_F(StreamInboxTest, AMessageAndTheEndAtOnceAreBothSeenByWhoWaits) {
  const auto stream = Open();
  Got got;
  TaskGroup tasks;
  tasks.Spawn(TakeAll(&stream->inbox, &got));
  stream->inbox.Push("last");
  stream->inbox.End({});
  RunReady();
  EXPECT_EQ(got, (Got{"last", "the end"}));
}

TEST_F(StreamInboxTest, WhatWasReceivedBeforeTheEndCanStillBeTaken) {
  const auto stream = Open();
  stream->inbox.Push("one");
  stream->inbox.Push("two");
  stream->inbox.End({StatusCode::kAborted, "gone"});
  EXPECT_EQ(Take(*stream), "one");
  EXPECT_EQ(Take(*stream), "two");
  EXPECT_EQ(Take(*stream), "the end");
}

TEST_F(StreamInboxTest, TheEndIsGivenAsOftenAsItIsAskedFor) {
  const auto stream = Open();
  stream->inbox.End({});
  EXPECT_EQ(Take(*stream), "the end");
  EXPECT_EQ(Take(*stream), "the end");
}

TEST_F(StreamInboxTest, PushAfterTheEndIsIgnored) {
  const auto stream = Open();
  stream->inbox.Push("in time");
  stream->inbox.End({});
  stream->inbox.Push("late");
  EXPECT_EQ(Take(*stream), "in time");
  EXPECT_EQ(Take(*stream), "the end");
}

TEST_F(StreamInboxTest, SaysHowItEnded) {
  const auto stream = Open();
  EXPECT_FALSE(stream->inbox.ended());
  EXPECT_EQ(stream->inbox.status(), Status());
  stream->inbox.Push("kept");
  stream->inbox.End({StatusCode::kAborted, "gone"});
  // The status counts even while messages remain.
  EXPECT_TRUE(stream->inbox.ended());
  EXPECT_EQ(stream->inbox.status(), Status(StatusCode::kAborted, "gone"));
}

TEST_F(StreamInboxTest, TheFirstEndCounts) {
  const auto failed = Open();
  failed->inbox.End({StatusCode::kAborted, "first"});
  failed->inbox.End({StatusCode::kUnavailable, "second"});
  failed->inbox.End({});
  EXPECT_EQ(failed->inbox.status(), Status(StatusCode::kAborted, "first"));
  const auto closed = Open();
  closed->inbox.End({});
  closed->inbox.End({StatusCode::kAborted, "second"});
  EXPECT_EQ(closed->inbox.status(), Status());
}

TEST_F(StreamInboxTest, MayEndBeforeItHasAGate) {
  OwnedInbox stream(loop_.io());
  stream.inbox.End({StatusCode::kAborted, "gone"});
  EXPECT_EQ(Take(stream), "the end");
  EXPECT_EQ(stream.inbox.status(), Status(StatusCode::kAborted, "gone"));
}

// Waiters, or the object that they wait for, are destroyed.

TEST_F(StreamInboxTest, WhoWaitsMayBeDestroyed) {
  const auto stream = Open();
  Got got;
  TaskGroup tasks;
  tasks.Spawn(TakeAll(&stream->inbox, &got));
  tasks.Clear();
  stream->inbox.Push("one");
  RunReady();
  EXPECT_EQ(got, Got());
  EXPECT_EQ(Take(*stream), "one");
}

TEST_F(StreamInboxTest, WhoWasWokenMayBeDestroyedBeforeItGoesOn) {
  const auto stream = Open();
  Got got;
  TaskGroup tasks;
  tasks.Spawn(TakeAll(&stream->inbox, &got));
  stream->inbox.Push("one");
  tasks.Clear();
  RunReady();
  EXPECT_EQ(got, Got());
  EXPECT_EQ(Take(*stream), "one");
}

// Gives access to the handle of the coroutine that awaits it.
class Stop {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) { waiting_ = waiting; }
  void await_resume() const noexcept {}
  std::coroutine_handle<> waiting() const { return waiting_; }

 private:
  std::coroutine_handle<> waiting_;
};

Task<void> PassBy(Stop* stop, bool* passed) {
  co_await *stop;
  *passed = true;
}

TEST_F(StreamInboxTest, DestroyedItResumesNobody) {
  Stop stop;
  bool passed = false;
  TaskGroup tasks;
  tasks.Spawn(PassBy(&stop, &passed));
  for (const bool woken : {false, true}) {
    auto stream = Open();
    // The awaiter is destroyed by hand, because a coroutine would use the inbox again when it is
    // destroyed.
    using Awaiter = decltype(stream->inbox.Next());
    alignas(Awaiter) std::array<std::byte, sizeof(Awaiter)> place;
    auto* const awaiter = new (place.data()) Awaiter(stream->inbox.Next());
    awaiter->await_suspend(stop.waiting());
    if (woken) stream->inbox.Push("one");
    stream.reset();
    RunReady();
    ASSERT_FALSE(passed) << woken;
  }
}

}  // namespace
}  // namespace ttrpc
