// SPDX-License-Identifier: Apache-2.0
//
// The events and numbers that Connection reports for code that enforces limits.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "connection_harness.h"
#include "support/sanitized.h"
#include "ttrpc/wire/connection.h"

namespace ttrpc {
namespace {

using test::Message;

using ConnectionTellsTest = test::ConnectionFixture;
using Told = std::vector<bool>;

TEST_F(ConnectionTellsTest, TellsOfAMessageThatHasBegunAndWhetherItIsStillThere) {
  const auto connection = Connect();
  const std::string one = Message({.stream_id = 1}, "one");
  Write(one + one);
  RunReady();
  EXPECT_EQ(recorder_.partial, Told());
  Write(one.substr(0, 3));
  RunReady();
  EXPECT_EQ(recorder_.partial, Told{true});
  // More bytes of the same message are not reported again.
  Write(one.substr(3, 9));
  RunReady();
  EXPECT_EQ(recorder_.partial, Told{true});
  Write(one.substr(12) + one + one.substr(0, 1));
  RunReady();
  EXPECT_EQ(recorder_.partial, (Told{true, true}));
  Write(one.substr(1));
  RunReady();
  EXPECT_EQ(recorder_.partial, (Told{true, true, false}));
  EXPECT_EQ(messages(), 5U);
}

TEST_F(ConnectionTellsTest, AMessageThatIsDiscardedIsPartialToItsEnd) {
  const auto connection = Connect({.message_size = 4});
  const std::string bytes = Message({.stream_id = 1}, "too long");
  Write(bytes.substr(0, bytes.size() - 1));
  RunReady();
  EXPECT_EQ(recorder_.partial, Told{true});
  Write(bytes.substr(bytes.size() - 1));
  RunReady();
  EXPECT_EQ(recorder_.partial, (Told{true, false}));
  EXPECT_EQ(recorder_.oversized.size(), 1U);
}

TEST_F(ConnectionTellsTest, TellsWhenTheOtherSideTakesNoBytes) {
  const auto connection = Connect();
  connection->Send({.stream_id = 1}, "taken");
  RunReady();
  EXPECT_EQ(recorder_.blocked, Told());
  connection->Send({.stream_id = 1}, std::string(4 << 20, 'x'));
  RunReady();
  EXPECT_EQ(recorder_.blocked, Told{true});
  // Queueing more is not reported again.
  connection->Send({.stream_id = 1}, "more");
  RunReady();
  RunReady();
  EXPECT_EQ(recorder_.blocked, Told{true});
  // Progress by the other side is reported again.
  RunUntil([this] {
    ReadAll();
    return recorder_.blocked.size() > 1;
  });
  EXPECT_EQ(recorder_.blocked, (Told{true, true}));
  RunUntil([this] {
    ReadAll();
    return !recorder_.blocked.back();
  });
  connection->Send({.stream_id = 1}, "taken");
  RunReady();
  EXPECT_FALSE(recorder_.blocked.back());
}

TEST_F(ConnectionTellsTest, TellsWhatItHolds) {
  const auto connection = Connect();
  // Small, complete or written messages do not count as held.
  Write(Message({.stream_id = 1}, std::string(100000, 'x')));
  connection->Send({.stream_id = 1}, std::string(100000, 'x'));
  RunReady();
  EXPECT_EQ(connection->held(), 0U);
  EXPECT_EQ(recorder_.held_changes, 0);
  // An incomplete message counts.
  const std::string bytes = Message({.stream_id = 1}, std::string(100000, 'x'));
  Write(bytes.substr(0, 60000));
  RunReady();
  EXPECT_GE(connection->held(), 60000U / 4096 * 4096);
  EXPECT_LT(connection->held(), 200000U);
  EXPECT_EQ(recorder_.held_changes, 1);
  Write(bytes.substr(60000));
  RunReady();
  EXPECT_EQ(connection->held(), 0U);
  EXPECT_EQ(recorder_.held_changes, 2);
  // Unsent bytes count, however they were queued.
  ReadAll();
  connection->Send({.stream_id = 1}, std::string(4 << 20, 'x'));
  RunReady();
  const size_t blocked = connection->held();
  EXPECT_GT(blocked, 3U << 20);
  connection->Send({.stream_id = 1}, std::string(1 << 20, 'x'));
  RunReady();
  EXPECT_NEAR(static_cast<double>(connection->held() - blocked), 1 << 20, 4096);
  RunUntil([this, &connection] {
    ReadAll();
    return connection->held() == 0;
  });
  // Undelivered messages count.
  recorder_.on_message = [&connection] { connection->PauseReading(); };
  Write(Message({.stream_id = 1}, "") + Message({.stream_id = 1}, std::string(50000, 'x')));
  RunReady();
  EXPECT_GE(connection->held(), 50000U / 4096 * 4096);
  connection->Close();
  EXPECT_EQ(connection->held(), 0U);
}

// A closed connection may exist for a long time.
TEST_F(ConnectionTellsTest, ClosedItHasGivenBackItsMemory) {
  const auto used = [] { return ::mallinfo2().uordblks + ::mallinfo2().hblkhd; };
  constexpr size_t kLittle = 4 << 10;
  std::string small;  // messages that are not delivered
  for (int i = 0; i < 1200; ++i) small += Message({.stream_id = 1}, "");
  std::string part = Message({.stream_id = 3}, std::string(150'000, 'x'));
  part.resize(70'000);
  for (const std::string& bytes : {small, part}) {
    for (const bool within_a_message : {false, true}) {
      recorder_ = {};
      const auto connection = Connect();
      RunReady();
      recorder_.messages.reserve(10);
      const size_t before = used();
      recorder_.on_message = [&] {
        if (messages() < 2) return;
        connection->PauseReading();
        if (within_a_message) connection->Close();
      };
      Write(bytes);
      RunReady();
      if (!connection->closed()) {
        if (!::test::kSanitized) {
          EXPECT_GE(used(), before + connection->held());
        }
        EXPECT_GE(connection->held(), bytes.size() / 2);
        connection->Close();
      }
      EXPECT_EQ(connection->held(), 0U);
      if (!::test::kSanitized) {
        EXPECT_LT(used(), before + kLittle) << bytes.size() << " " << within_a_message;
      }
    }
  }
}

TEST_F(ConnectionTellsTest, SaysSinceWhenItIsStuck) {
  const auto connection = Connect();
  EXPECT_EQ(connection->stuck_since(), std::nullopt);
  const auto turn = [this] {
    loop_.Now();  // gives the wake-up its own number
    RunReady();
  };
  turn();
  // The message is incomplete.
  const std::string bytes = Message({.stream_id = 1}, std::string(100000, 'x'));
  Write(bytes.substr(0, 50000));
  turn();
  const auto began = connection->stuck_since();
  ASSERT_TRUE(began.has_value());
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(connection->stuck_since(), began);
  Write(bytes.substr(50000, 10));
  turn();
  EXPECT_GT(connection->stuck_since(), began);
  Write(bytes.substr(50010));
  turn();
  EXPECT_EQ(connection->stuck_since(), std::nullopt);
  // Unsent bytes are held while more bytes arrive.
  connection->Send({.stream_id = 1}, std::string(4 << 20, 'x'));
  turn();
  const auto blocked = connection->stuck_since();
  ASSERT_TRUE(blocked.has_value());
  for (int i = 0; i < 5; ++i) {
    Write(Message({.stream_id = 1}, "more"));
    connection->Send({.stream_id = 1}, "more");
    turn();
  }
  EXPECT_EQ(connection->stuck_since(), blocked);
  ReadAll();
  turn();
  EXPECT_GT(connection->stuck_since(), blocked);
  RunUntil([this, &connection] {
    ReadAll();
    return connection->stuck_since() == std::nullopt;
  });
}

TEST_F(ConnectionTellsTest, MayBeClosedWhenItTellsOfEither) {
  class Closer final : public ConnectionHandler {
   public:
    void OnMessage(const MessageHeader&, std::string_view) override {}
    void OnOversizedMessage(const MessageHeader&) override {}
    void OnSendQueueLow() override {}
    void OnPartialMessage(bool) override { connection->Close(); }
    void OnWriteBlocked(bool) override { connection->Close(); }
    void OnClosed(CloseReason, int) override { ADD_FAILURE(); }
    Connection* connection = nullptr;
  };
  for (const bool write : {false, true}) {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    far_.reset(fds[1]);
    Closer closer;
    Connection connection(loop_, UniqueFd(fds[0]), &closer, {});
    closer.connection = &connection;
    connection.Start();
    if (write) {
      connection.Send({.stream_id = 1}, std::string(4 << 20, 'x'));
    } else {
      Write("x");
    }
    RunReady();
    EXPECT_TRUE(connection.closed());
  }
}

// The connection has no socket yet.

TEST_F(ConnectionTellsTest, WhatIsSentBeforeThereIsASocketIsHeldAndThenWritten) {
  Connection connection(loop_, &recorder_, {.send_queue_high = 1000, .send_queue_low = 10});
  EXPECT_FALSE(connection.closed());
  EXPECT_EQ(connection.fd(), -1);
  connection.Send({.stream_id = 1}, std::string(900, 'a'));
  EXPECT_FALSE(connection.send_queue_full());
  connection.Send({.stream_id = 3}, std::string(9000, 'b'));
  EXPECT_TRUE(connection.send_queue_full());
  RunReady();
  EXPECT_EQ(connection.held(), 16384U);  // the size of the block that they are in
  EXPECT_EQ(recorder_.held_changes, 1);
  EXPECT_TRUE(recorder_.blocked.empty()) << "writing is not blocked";

  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  far_.reset(fds[1]);
  connection.Start(UniqueFd(fds[0]));
  EXPECT_EQ(connection.fd(), fds[0]);
  RunReady();
  EXPECT_EQ(ReadAll(), Message({.stream_id = 1}, std::string(900, 'a')) +
                           Message({.stream_id = 3}, std::string(9000, 'b')));
  EXPECT_EQ(recorder_.lows, 1);
  EXPECT_EQ(connection.held(), 0U);
  Write(Message({.stream_id = 3}, "answer"));
  RunUntil([this] { return messages() == 1; });
}

TEST_F(ConnectionTellsTest, ReadingMayBePausedBeforeThereIsASocket) {
  Connection connection(loop_, &recorder_, {});
  connection.PauseReading();
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  far_.reset(fds[1]);
  Write(Message({.stream_id = 1}, "early"));
  connection.Start(UniqueFd(fds[0]));
  RunReady();
  EXPECT_EQ(messages(), 0U);
  connection.ResumeReading();
  RunUntil([this] { return messages() == 1; });
}

TEST_F(ConnectionTellsTest, ClosedBeforeThereIsASocketItWantsNone) {
  Connection connection(loop_, &recorder_, {});
  connection.Send({.stream_id = 1}, std::string(9000, 'a'));
  connection.Close();
  EXPECT_TRUE(connection.closed());
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  far_.reset(fds[1]);
  connection.Start(UniqueFd(fds[0]));
  RunReady();
  EXPECT_EQ(connection.fd(), -1);
  char byte = 0;
  EXPECT_EQ(recv(far_.get(), &byte, 1, 0), 0) << "the socket is closed";
  EXPECT_EQ(recorder_.held_changes, 0);
}

TEST_F(ConnectionTellsTest, ToBeClosedAfterFlushItWaitsForItsSocket) {
  Connection connection(loop_, &recorder_, {});
  connection.Send({.stream_id = 1}, "last");
  connection.CloseAfterFlush();
  RunReady();
  EXPECT_FALSE(recorder_.closed.has_value());
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  far_.reset(fds[1]);
  connection.Start(UniqueFd(fds[0]));
  RunReady();
  EXPECT_EQ(recorder_.closed, CloseReason::kFlushed);
  EXPECT_EQ(ReadAll(), Message({.stream_id = 1}, "last"));
}

}  // namespace
}  // namespace ttrpc
