// SPDX-License-Identifier: Apache-2.0
//
// The turns that groups of connections take in a wake-up: one group delivers no more than one
// connection may, by number, bytes and time. Also groups that are held and receive nothing.
#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connection_harness.h"
#include "ttrpc/wire/connection.h"

namespace ttrpc {
namespace {

using test::Message;
using test::Recorder;

constexpr uint64_t kFlooder = 1;
constexpr uint64_t kCaller = 2;
constexpr size_t kTurn = 64;

class ConnectionTurnTest : public test::ConnectionFixture {
 protected:
  struct Member {
    std::unique_ptr<Recorder> recorder;
    std::unique_ptr<Connection> connection;
    UniqueFd far;
  };

  Member Join(uint64_t group) {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    Member member = {.recorder = std::make_unique<Recorder>(), .connection = {}, .far = {}};
    member.far.reset(fds[1]);
    ConnectionOptions options;
    options.group = group;
    member.connection =
        std::make_unique<Connection>(loop_, UniqueFd(fds[0]), member.recorder.get(), options);
    member.connection->Start();
    return member;
  }

  std::vector<Member> JoinFlood(size_t count) {
    std::vector<Member> members;
    members.reserve(count);
    while (members.size() < count) members.push_back(Join(kFlooder));
    return members;
  }

  void WakeUp() { event_base_loop(base_.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK); }

  static void Send(const Member& member, int count, size_t size = 0) {
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes += Message({.stream_id = 1}, std::string(size, 'x'));
    ASSERT_EQ(send(member.far.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  // Lets 2000 wake-ups pass in which only this member has messages.
  void AnswerForLong(const Member& member) {
    Connection& answering = *member.connection;
    member.recorder->on_message = [&answering] { answering.Send({.stream_id = 1}, ""); };
    char answer[kMessageHeaderLength];
    for (int i = 0; i < 2000; ++i) {
      Send(member, 1);
      WakeUp();
      ASSERT_EQ(recv(member.far.get(), answer, sizeof(answer), 0),
                static_cast<ssize_t>(sizeof(answer)));
    }
    member.recorder->on_message = nullptr;
  }

  static size_t Heard(const std::vector<Member>& members) {
    size_t heard = 0;
    for (const Member& member : members) heard += member.recorder->messages.size();
    return heard;
  }
};

TEST_F(ConnectionTurnTest, ManyConnectionsOfAGroupHaveTheTurnOfOne) {
  std::vector<Member> flood = JoinFlood(16);
  const Member caller = Join(kCaller);
  for (const Member& member : flood) Send(member, 100);
  Send(caller, 1);  // ready last
  size_t before = 1600;
  caller.recorder->on_message = [&] { before = Heard(flood); };
  RunUntil([&] { return caller.recorder->messages.size() == 1; });
  EXPECT_LE(before, kTurn);
  RunUntil([&] { return Heard(flood) == 1600; });
}

TEST_F(ConnectionTurnTest, AWakeUpHandsOutNoMoreThanATurn) {
  std::vector<Member> flood = JoinFlood(16);
  for (const Member& member : flood) Send(member, 100);
  for (size_t heard = 0, next = 0; heard < 1600; heard = next) {
    WakeUp();
    next = Heard(flood);
    ASSERT_LE(next, heard + kTurn);
    ASSERT_GT(next, heard) << "no connection had a turn";
  }
}

// Turns make batches smaller, so a group that has been alone for long takes none.
TEST_F(ConnectionTurnTest, AloneAGroupTakesNoTurns) {
  std::vector<Member> flood = JoinFlood(16);
  AnswerForLong(flood[0]);
  for (const Member& member : flood) Send(member, 50);
  WakeUp();
  EXPECT_EQ(Heard(flood), 2000U + 16 * 50);
  // Another group ends that.
  const Member caller = Join(kCaller);
  Send(caller, 1);
  WakeUp();
  EXPECT_EQ(caller.recorder->messages.size(), 1U);
  for (const Member& member : flood) Send(member, 50);
  WakeUp();
  EXPECT_LE(Heard(flood), 2000U + 16 * 50 + kTurn);
}

// The programs of a user may connect one after the other.
TEST_F(ConnectionTurnTest, AGroupThatHasLeftIsNoOther) {
  Member first = Join(kCaller);
  AnswerForLong(first);
  const std::vector<Member> flood = JoinFlood(16);
  first.connection.reset();
  for (const Member& member : flood) Send(member, 50);
  WakeUp();
  EXPECT_EQ(Heard(flood), 16 * 50U);
}

// The first connection always has more to deliver and is always ready first.
TEST_F(ConnectionTurnTest, WithinAGroupTheyGoInTurn) {
  const Member first = Join(kFlooder);
  const Member second = Join(kFlooder);
  first.recorder->on_message = [&] { Send(first, 1); };
  Send(first, 200);
  Send(second, 200);
  // Each turn delivers 64 messages, so the 200 messages are delivered after the eighth wake-up.
  for (int i = 0; i < 8; ++i) WakeUp();
  EXPECT_EQ(second.recorder->messages.size(), 200U);
  first.recorder->on_message = nullptr;
}

TEST_F(ConnectionTurnTest, WhoClosesOrPausesWhileItWaitsHoldsUpNobody) {
  std::vector<Member> members = JoinFlood(4);
  for (const Member& member : members) Send(member, 100);
  members[0].recorder->on_message = [&] {
    if (members[0].recorder->messages.size() < kTurn) return;
    members[0].recorder->on_message = nullptr;
    members[3].connection->PauseReading();
  };
  WakeUp();  // the first has its turn, the others wait
  EXPECT_EQ(Heard(members), kTurn);
  members[1].connection->Close();
  RunUntil([&] { return members[2].recorder->messages.size() == 100; });
  EXPECT_EQ(members[1].recorder->messages.size(), 0U);
  EXPECT_EQ(members[3].recorder->messages.size(), 0U);
  members[3].connection->ResumeReading();
  RunUntil([&] { return members[3].recorder->messages.size() == 100; });
  EXPECT_EQ(members[0].recorder->messages.size(), 100U);
}

// The other side of a waiting connection closes. Its messages are delivered, then the end.
TEST_F(ConnectionTurnTest, WhoWaitsHearsTheEnd) {
  std::vector<Member> members = JoinFlood(4);
  for (const Member& member : members) Send(member, 100);
  WakeUp();
  for (Member& member : members) member.far.reset();
  RunUntil([&] {
    size_t closed = 0;
    for (const Member& member : members) closed += member.recorder->closed.has_value() ? 1 : 0;
    return closed == members.size();
  });
  EXPECT_EQ(Heard(members), 400U);
}

TEST_F(ConnectionTurnTest, ATurnEndsByBytes) {
  constexpr size_t kSize = 30'000;
  constexpr size_t kMost = 512 << 10;
  std::vector<Member> flood = JoinFlood(40);
  const Member caller = Join(kCaller);
  for (const Member& member : flood) Send(member, 5, kSize);
  Send(caller, 1);  // ready last
  size_t before = 200;
  caller.recorder->on_message = [&] { before = Heard(flood); };
  RunUntil([&] { return caller.recorder->messages.size() == 1; });
  EXPECT_GT(before, 0U);
  EXPECT_LE((before - 1) * kSize, kMost);
  RunUntil([&] { return Heard(flood) == 200; });
}

// Incomplete messages deliver nothing, but reading them takes time too.
TEST_F(ConnectionTurnTest, PartsOfMessagesTakeTheirTurnToo) {
  std::vector<Member> flood = JoinFlood(100);
  const Member caller = Join(kCaller);
  const std::string part = Message({.stream_id = 1}, std::string(1000, 'x')).substr(0, 100);
  for (const Member& member : flood)
    ASSERT_EQ(send(member.far.get(), part.data(), part.size(), MSG_NOSIGNAL), 100);
  Send(caller, 1);
  const auto partial = [&flood] {
    size_t count = 0;
    for (const Member& member : flood) count += member.recorder->partial.size();
    return count;
  };
  size_t before = 100;
  caller.recorder->on_message = [&] { before = partial(); };
  RunUntil([&] { return caller.recorder->messages.size() == 1; });
  EXPECT_LE(before, kTurn);
  RunUntil([&] { return partial() == 100; });
}

TEST_F(ConnectionTurnTest, ATurnEndsByTime) {
  std::vector<Member> flood = JoinFlood(16);
  const Member caller = Join(kCaller);
  for (const Member& member : flood) {
    member.recorder->on_message = [] { Advance(std::chrono::microseconds(300)); };
    Send(member, 100);
  }
  Send(caller, 1);
  size_t before = 1600;
  caller.recorder->on_message = [&] { before = Heard(flood); };
  RunUntil([&] { return caller.recorder->messages.size() == 1; });
  EXPECT_EQ(before, 8U) << "ends at the first check of the clock";
}

// A connection that exceeds its turn does not take the turns of the others in its group.
TEST_F(ConnectionTurnTest, WhatTakesLongerThanATurnIsHandedOutOneByOne) {
  const Member slow = Join(kFlooder);
  const Member quick = Join(kFlooder);
  const Member caller = Join(kCaller);
  slow.recorder->on_message = [] { Advance(std::chrono::milliseconds(50)); };
  Send(slow, 3);
  Send(quick, 3);
  Send(caller, 1);
  RunUntil([&] {
    return slow.recorder->messages.size() == 3 && quick.recorder->messages.size() == 3 &&
           caller.recorder->messages.size() == 1;
  });
}

// Timers, signals and new connections wait for the end of the wake-up even if there is no other
// group.
TEST_F(ConnectionTurnTest, AloneAGroupStopsAfterTenMilliseconds) {
  std::vector<Member> flood = JoinFlood(16);
  flood[0].recorder->on_message = [&] {
    char answer[kMessageHeaderLength];
    flood[0].connection->Send({.stream_id = 1}, "");
    static_cast<void>(recv(flood[0].far.get(), answer, sizeof(answer), MSG_DONTWAIT));
  };
  for (int i = 0; i < 2000; ++i) {
    Send(flood[0], 1);
    WakeUp();
  }
  for (const Member& member : flood) {
    member.recorder->on_message = [] { Advance(std::chrono::microseconds(100)); };
    Send(member, 60);
  }
  const size_t before = Heard(flood);
  WakeUp();
  const size_t heard = Heard(flood) - before;
  EXPECT_GE(heard, 100U);
  EXPECT_LE(heard, 100U + 2 * kTurn);
  RunUntil([&] { return Heard(flood) == before + size_t{16} * 60; });
}

TEST_F(ConnectionTurnTest, WhatIsHeldReceivesNothing) {
  std::vector<Member> held = JoinFlood(4);
  const Member caller = Join(kCaller);
  loop_.HoldGroup(kFlooder);
  for (const Member& member : held) Send(member, 3);
  Send(caller, 3);
  RunUntil([&] { return caller.recorder->messages.size() == 3; });
  for (int i = 0; i < 5; ++i) WakeUp();
  EXPECT_EQ(Heard(held), 0U);
  EXPECT_TRUE(held[0].connection->reading_paused());
  EXPECT_FALSE(caller.connection->reading_paused());
  loop_.ReleaseGroup(kFlooder);
  RunUntil([&] { return Heard(held) == 12; });
  EXPECT_FALSE(held[0].connection->reading_paused());
}

// Messages that were received before the hold are delivered, which frees their memory.
TEST_F(ConnectionTurnTest, WhatIsHeldHandsOutWhatItHas) {
  const Member member = Join(kFlooder);
  const Member caller = Join(kCaller);
  Send(member, 200);
  Send(caller, 1);
  WakeUp();
  EXPECT_EQ(member.recorder->messages.size(), kTurn);
  loop_.HoldGroup(kFlooder);
  RunUntil([&] { return member.recorder->messages.size() == 200; });
  Send(member, 1);
  for (int i = 0; i < 5; ++i) WakeUp();
  EXPECT_EQ(member.recorder->messages.size(), 200U);
  loop_.ReleaseGroup(kFlooder);
  RunUntil([&] { return member.recorder->messages.size() == 201; });
}

TEST_F(ConnectionTurnTest, WhoIsHeldMayPauseCloseAndGo) {
  std::vector<Member> held = JoinFlood(3);
  loop_.HoldGroup(kFlooder);
  for (const Member& member : held) Send(member, 1);
  for (int i = 0; i < 5; ++i) WakeUp();
  held[0].connection->Close();
  held[1].connection->PauseReading();
  loop_.ReleaseGroup(kFlooder);
  RunUntil([&] { return held[2].recorder->messages.size() == 1; });
  EXPECT_EQ(Heard(held), 1U);
  held[1].connection->ResumeReading();
  RunUntil([&] { return Heard(held) == 2; });
  held.clear();
  loop_.HoldGroup(kFlooder);  // the group has no connection
  loop_.ReleaseGroup(kFlooder);
}

}  // namespace
}  // namespace ttrpc
