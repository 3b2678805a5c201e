// SPDX-License-Identifier: Apache-2.0
//
// Whose messages a wake-up hands out: connections of one group together get no more than one.
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
#include "ttrpc/connection.h"

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

  static void Send(const Member& member, int count) {
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes += Message({.stream_id = 1}, "");
    ASSERT_EQ(send(member.far.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
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
  Send(caller, 1);  // the last to be ready
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
    ASSERT_GT(next, heard) << "nobody's turn";
  }
}

// Turns cost batches: who has been alone for long does without.
TEST_F(ConnectionTurnTest, AloneAGroupTakesNoTurns) {
  std::vector<Member> flood = JoinFlood(16);
  Connection& answering = *flood[0].connection;
  flood[0].recorder->on_message = [&] { answering.Send({.stream_id = 1}, ""); };
  char answer[kMessageHeaderLength];
  for (int i = 0; i < 2000; ++i) {
    Send(flood[0], 1);
    WakeUp();
    ASSERT_EQ(recv(flood[0].far.get(), answer, sizeof(answer), 0),
              static_cast<ssize_t>(sizeof(answer)));
  }
  for (const Member& member : flood) Send(member, 50);
  WakeUp();
  EXPECT_EQ(Heard(flood), 2000U + 16 * 50);
  // Until another one comes.
  const Member caller = Join(kCaller);
  Send(caller, 1);
  WakeUp();
  EXPECT_EQ(caller.recorder->messages.size(), 1U);
  for (const Member& member : flood) Send(member, 50);
  WakeUp();
  EXPECT_LE(Heard(flood), 2000U + 16 * 50 + kTurn);
}

// The first always has more, and is always ready first.
TEST_F(ConnectionTurnTest, WithinAGroupTheyGoInTurn) {
  const Member first = Join(kFlooder);
  const Member second = Join(kFlooder);
  first.recorder->on_message = [&] { Send(first, 1); };
  Send(first, 200);
  Send(second, 200);
  // They take turns of 64, so that 200 are heard with the eighth.
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

// The other side of one that waits goes: it is heard to its end, and then told so.
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

}  // namespace
}  // namespace ttrpc
