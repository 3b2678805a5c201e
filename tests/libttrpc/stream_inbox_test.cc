// SPDX-License-Identifier: Apache-2.0
//
// StreamInbox and ReadGate on their own: what is handed out and when; when a connection is read.
#include "stream_inbox.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ttrpc/codec.h"
#include "ttrpc/connection.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/message.h"
#include "ttrpc/status.h"
#include "ttrpc/task.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {
namespace {

using Got = std::vector<std::string>;

constexpr size_t kStreamBuffer = 1000;
// Counted for each message beside its bytes.
constexpr size_t kMessageCost = sizeof(std::string);

// A message that takes up `size` bytes.
std::string Taking(size_t size) { return std::string(size - kMessageCost, 'x'); }

const Status kFull(StatusCode::kResourceExhausted, "full");

// An inbox and its owner, which does what it is to do when it is told.
class Stream final : public StreamInbox::Owner {
 public:
  explicit Stream(IoLoop& loop) : inbox(loop, *this) {}

  void OnStreamBufferFull() override {
    ++told;
    inbox.End(kFull);
  }

  StreamInbox inbox;
  int told = 0;
};

class Counter final : public ConnectionHandler {
 public:
  void OnMessage(const MessageHeader&, std::string_view) override { ++messages; }
  void OnOversizedMessage(const MessageHeader&) override { ADD_FAILURE(); }
  void OnSendQueueLow() override { ADD_FAILURE(); }
  void OnClosed(CloseReason, int) override { ADD_FAILURE(); }

  size_t messages = 0;
};

Task<void> TakeOne(StreamInbox* inbox, std::string* got) {
  std::optional<std::string> message = co_await inbox->Next();
  *got = message ? std::move(*message) : "the end";
}

Task<void> TakeAll(StreamInbox* inbox, Got* got) {
  for (bool more = true; more;) {
    std::optional<std::string> message = co_await inbox->Next();
    more = message.has_value();
    got->push_back(more ? std::move(*message) : "the end");
  }
}

class StreamInboxTest : public testing::Test {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    far_.reset(fds[1]);
    connection_.emplace(loop_.io(), UniqueFd(fds[0]), &counter_, ConnectionOptions());
    connection_->Start();
    gate_.emplace(loop_.io(), *connection_, kStreamBuffer);
  }

  std::unique_ptr<Stream> Open() {
    auto stream = std::make_unique<Stream>(loop_.io());
    stream->inbox.Attach(*gate_);
    return stream;
  }
  // As many as fill what all streams of a connection may keep together, none of them overfull.
  std::vector<std::unique_ptr<Stream>> OpenFour() {
    std::vector<std::unique_ptr<Stream>> streams;
    for (int i = 0; i < 4; ++i) {
      streams.push_back(Open());
      streams.back()->inbox.Push(Taking(kStreamBuffer));
    }
    return streams;
  }

  // All that is ready now.
  void RunReady() {
    for (int i = 0; i < 5; ++i) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  }
  // Turns the loop until `done`, or until a generous deadline fails the test.
  void RunUntil(const std::function<bool()>& done) {
    bool late = false;
    Timer deadline(loop_.io(), [&late] { late = true; });
    deadline.Start(std::chrono::seconds(60));
    while (!done()) {
      ASSERT_FALSE(late);
      event_base_loop(loop_.base(), EVLOOP_ONCE);
    }
  }

  // What Next() gives at once.
  static std::string Take(Stream& stream) {
    std::string got = "nothing yet";
    TaskGroup tasks;
    tasks.Spawn(TakeOne(&stream.inbox, &got));
    return got;
  }

  // Whether all that the far end has written is delivered.
  bool Reads() {
    std::string bytes(kMessageHeaderLength, '\0');
    EncodeMessageHeader({.length = 0, .stream_id = 1, .type = MessageType::kData, .flags = 0},
                        bytes.data());
    EXPECT_EQ(::send(far_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    ++written_;
    RunReady();
    return counter_.messages == written_;
  }

  EventLoop loop_;
  Counter counter_;
  UniqueFd far_;
  std::optional<Connection> connection_;
  std::optional<ReadGate> gate_;
  size_t written_ = 0;
};

// Messages and the end.

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
  EXPECT_EQ(got, Got()) << "from within a connection's callback";
  RunReady();
  EXPECT_EQ(got, Got{"one"});
  // It waits again, and gets all that has come when it goes on.
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
  EXPECT_EQ(got, Got()) << "from within a connection's callback";
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
  // Before all was taken, too.
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
  Stream stream(loop_.io());
  stream.inbox.End({StatusCode::kAborted, "gone"});
  EXPECT_EQ(Take(stream), "the end");
  EXPECT_EQ(stream.inbox.status(), Status(StatusCode::kAborted, "gone"));
}

// Whoever waits is destroyed, or what it waits for.

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

// Hands out what resumes the coroutine that waits for it.
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
    // By hand, since a coroutine's own would use the inbox once more when it is destroyed.
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

// The gate.

TEST_F(StreamInboxTest, AConnectionIsReadWhileNobodyHoldsIt) {
  EXPECT_TRUE(Reads());
  gate_->Hold();
  EXPECT_FALSE(Reads());
  gate_->Hold();
  gate_->Release();
  EXPECT_FALSE(Reads());
  gate_->Release();
  EXPECT_TRUE(Reads());
}

TEST_F(StreamInboxTest, AStreamMayKeepItsBufferAndNoMore) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer - kMessageCost));
  stream->inbox.Push("");
  EXPECT_TRUE(Reads());
  stream->inbox.Push("");
  EXPECT_FALSE(Reads());
}

TEST_F(StreamInboxTest, OneMessageMayBeTooMuch) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer + 1));
  EXPECT_FALSE(Reads());
}

TEST_F(StreamInboxTest, ManyEmptyMessagesAreTooMuch) {
  const auto stream = Open();
  for (size_t i = 0; i < kStreamBuffer / kMessageCost; ++i) stream->inbox.Push("");
  EXPECT_TRUE(Reads());
  stream->inbox.Push("");
  EXPECT_FALSE(Reads());
}

TEST_F(StreamInboxTest, TakingLetsTheConnectionBeReadOnceItIsNoMoreThanItsBuffer) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kMessageCost + 1));
  stream->inbox.Push(Taking(kMessageCost));
  stream->inbox.Push(Taking(kStreamBuffer));
  EXPECT_FALSE(Reads());
  Take(*stream);
  EXPECT_FALSE(Reads());
  Take(*stream);
  EXPECT_TRUE(Reads());
}

TEST_F(StreamInboxTest, HoldsTheConnectionAgainWhenItIsTooMuchAgain) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer));
  stream->inbox.Push("");
  EXPECT_FALSE(Reads());
  Take(*stream);
  EXPECT_TRUE(Reads());
  stream->inbox.Push(Taking(kStreamBuffer));
  EXPECT_FALSE(Reads());
}

TEST_F(StreamInboxTest, TheConnectionIsReadWhenTheLastOfTwoStreamsLetsGo) {
  const auto one = Open(), other = Open();
  for (Stream* stream : {one.get(), other.get()}) {
    stream->inbox.Push("");
    stream->inbox.Push(Taking(kStreamBuffer));
    // Still once.
    stream->inbox.Push("");
  }
  EXPECT_FALSE(Reads());
  Take(*one);
  Take(*one);
  EXPECT_FALSE(Reads());
  Take(*other);
  EXPECT_FALSE(Reads());
  Take(*other);
  EXPECT_TRUE(Reads());
}

TEST_F(StreamInboxTest, AStreamDoesNotLetGoForWhoElseHoldsTheGate) {
  const auto stream = Open();
  gate_->Hold();
  stream->inbox.Push(Taking(kStreamBuffer + 1));
  Take(*stream);
  EXPECT_FALSE(Reads());
  gate_->Release();
  EXPECT_TRUE(Reads());
}

TEST_F(StreamInboxTest, AllStreamsTogetherMayKeepFourBuffersAndNoMore) {
  const auto four = OpenFour();
  EXPECT_TRUE(Reads());
  const auto fifth = Open();
  fifth->inbox.Push("");
  EXPECT_FALSE(Reads());
  Take(*fifth);
  EXPECT_TRUE(Reads());
}

TEST_F(StreamInboxTest, WhatIsTakenMakesRoomForAllStreams) {
  const auto four = OpenFour();
  Take(*four[0]);
  const auto fifth = Open();
  fifth->inbox.Push(Taking(kStreamBuffer));
  EXPECT_TRUE(Reads());
  fifth->inbox.Push("");
  EXPECT_FALSE(Reads());
}

// A stream that goes.

TEST_F(StreamInboxTest, TheEndLetsTheConnectionBeRead) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer + 1));
  EXPECT_FALSE(Reads());
  stream->inbox.End({});
  EXPECT_TRUE(Reads());
  EXPECT_FALSE(stream->inbox.empty());
}

TEST_F(StreamInboxTest, DestroyedItLetsTheConnectionBeRead) {
  auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer + 1));
  EXPECT_FALSE(Reads());
  stream.reset();
  EXPECT_TRUE(Reads());
}

TEST_F(StreamInboxTest, AStreamThatGoesLetsGoForItselfOnly) {
  const auto stays = Open(), ends = Open();
  auto destroyed = Open();
  for (Stream* stream : {stays.get(), ends.get(), destroyed.get()}) {
    stream->inbox.Push(Taking(kStreamBuffer + 1));
  }
  ends->inbox.End({});
  ends->inbox.End({});
  destroyed.reset();
  EXPECT_FALSE(Reads());
  Take(*stays);
  EXPECT_TRUE(Reads());
}

TEST_F(StreamInboxTest, TheEndMakesRoomForOthersThoughMessagesAreStillThere) {
  const auto four = OpenFour();
  four[0]->inbox.End({});
  const auto fifth = Open();
  fifth->inbox.Push(Taking(kStreamBuffer));
  EXPECT_TRUE(Reads());
  fifth->inbox.Push("");
  EXPECT_FALSE(Reads());
}

TEST_F(StreamInboxTest, DestroyedItMakesRoomForOthers) {
  auto four = OpenFour();
  four[0].reset();
  const auto fifth = Open();
  fifth->inbox.Push(Taking(kStreamBuffer));
  EXPECT_TRUE(Reads());
  fifth->inbox.Push("");
  EXPECT_FALSE(Reads());
}

TEST_F(StreamInboxTest, WhatIsTakenAfterTheEndMakesNoMoreRoom) {
  auto four = OpenFour();
  four[0]->inbox.End({});
  four[1]->inbox.End({});
  Take(*four[0]);
  four[1].reset();
  const auto fifth = Open(), sixth = Open();
  fifth->inbox.Push(Taking(kStreamBuffer));
  sixth->inbox.Push(Taking(kStreamBuffer));
  EXPECT_TRUE(Reads());
  const auto seventh = Open();
  seventh->inbox.Push("");
  EXPECT_FALSE(Reads());
}

TEST_F(StreamInboxTest, TheGateMayGoBeforeAStreamThatHasEnded) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer + 1));
  stream->inbox.End({});
  gate_.reset();
  EXPECT_EQ(Take(*stream), Taking(kStreamBuffer + 1));
  EXPECT_EQ(Take(*stream), "the end");
}

// Patience. It takes real time, hence one test for the three kinds of streams that are too much.

TEST_F(StreamInboxTest, OnlyAStreamThatNothingIsTakenFromIsToldThatItIsFull) {
  const std::string too_much = Taking(kStreamBuffer + 1);
  bool patient = false;
  Timer patience(loop_.io(), [&patient] { patient = true; });
  patience.Start(std::chrono::milliseconds(999));
  const auto unread = Open(), slow = Open();
  auto late = Open();
  for (Stream* stream : {unread.get(), slow.get(), late.get()}) stream->inbox.Push(too_much);
  int late_told = 0;
  // Several times between two looks of the gate. What is due first runs first, so that this holds
  // on a busy machine, too.
  Timer turn(loop_.io(), [&] {
    // It never gets to be less than too much.
    slow->inbox.Push(too_much);
    EXPECT_EQ(Take(*slow), too_much);
    // Whenever the gate looks, there is one that became too much a moment ago.
    late_told += late->told;
    late = Open();
    late->inbox.Push(too_much);
    turn.Start(std::chrono::milliseconds(100));
  });
  turn.Start(std::chrono::milliseconds(100));

  RunUntil([&] { return unread->told + slow->told + late_told + late->told > 0; });
  EXPECT_TRUE(patient);
  EXPECT_EQ(unread->told, 1);
  EXPECT_EQ(unread->inbox.status(), kFull);
  EXPECT_EQ(slow->told, 0);
  EXPECT_EQ(late_told + late->told, 0);
  // It holds the connection no more; the others do. Without a turn of the loop, in which the gate
  // might look again.
  slow->inbox.End({});
  EXPECT_TRUE(connection_->reading_paused());
  late->inbox.End({});
  turn.Stop();
  EXPECT_TRUE(Reads());
}

}  // namespace
}  // namespace ttrpc
