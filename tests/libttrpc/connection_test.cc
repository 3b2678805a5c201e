// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/connection.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connection_harness.h"
#include "ttrpc/timer.h"

namespace ttrpc {
namespace {

using test::Message;
using test::Recorder;

using ConnectionTest = test::ConnectionFixture;

TEST_F(ConnectionTest, HandsOutMessagesWrittenByteByByte) {
  const auto connection = Connect();
  const std::string bytes = Message({.stream_id = 1}, "one") + Message({.stream_id = 3}, "");
  for (const char c : bytes) {
    Write({&c, 1});
    RunReady();
  }
  EXPECT_EQ(recorder_.messages,
            (std::vector<std::pair<uint32_t, std::string>>{{1, "one"}, {3, ""}}));
}

TEST_F(ConnectionTest, WritesWhatWasQueuedInOneGo) {
  const auto connection = Connect();
  connection->Send({.stream_id = 1, .type = MessageType::kResponse}, "a");
  connection->Send({.stream_id = 3, .type = MessageType::kData, .flags = 5}, "");
  EXPECT_EQ(ReadAll(), "") << "nothing is written within the call";
  RunReady();
  EXPECT_EQ(ReadAll(), Message({.stream_id = 1, .type = MessageType::kResponse}, "a") +
                           Message({.stream_id = 3, .type = MessageType::kData, .flags = 5}, ""));
  EXPECT_EQ(connection->send_queue_size(), 0U);
}

TEST_F(ConnectionTest, LargeMessagesArriveWhole) {
  const auto connection = Connect();
  std::string data;
  for (size_t i = 0; i < kDefaultMessageSize; ++i)
    data.push_back(static_cast<char>(i * 7 + (i >> 10)));
  const std::string bytes = Message({.stream_id = 1}, data);
  size_t sent = 0;
  RunUntil([&] {
    const ssize_t n =
        send(far_.get(), bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<size_t>(n);
    RunReady();
    return messages() == 1;
  });
  EXPECT_TRUE(recorder_.messages.at(0).second == data);
}

TEST_F(ConnectionTest, AFullQueueSaysWhenItIsLowAgain) {
  const auto connection = Connect();
  size_t queued = 0;
  while (!connection->send_queue_full()) {
    connection->Send({.stream_id = 1}, std::string(30'000, 'x'));
    queued += 30'000 + kMessageHeaderLength;
  }
  for (int i = 0; i < 20; ++i) {  // more than the socket's capacity
    connection->Send({.stream_id = 1}, std::string(30'000, 'x'));
    queued += 30'000 + kMessageHeaderLength;
  }
  RunReady();
  EXPECT_TRUE(connection->send_queue_full());
  EXPECT_EQ(recorder_.lows, 0);
  size_t read = 0;
  RunUntil([&] {
    read += ReadAll().size();
    RunReady();
    return read == queued;
  });
  EXPECT_EQ(recorder_.lows, 1);
  EXPECT_FALSE(connection->send_queue_full());
}

// Upstream, client and server could both block in write and stop reading.
TEST_F(ConnectionTest, ABlockedWriteDoesNotStopReading) {
  const auto connection = Connect();
  for (int i = 0; i < 100; ++i) connection->Send({.stream_id = 1}, std::string(30'000, 'x'));
  RunReady();
  ASSERT_GT(connection->send_queue_size(), 0U);
  Write(Message({.stream_id = 3}, "still heard"));
  RunUntil([&] { return messages() == 1; });
  EXPECT_EQ(recorder_.messages.at(0).second, "still heard");
}

TEST_F(ConnectionTest, PausedInTheMiddleOfWhatWasReadItKeepsTheRestInOrder) {
  const auto connection = Connect();
  recorder_.on_message = [&] { connection->PauseReading(); };
  std::string bytes;
  for (uint32_t i = 0; i < 5; ++i) bytes += Message({.stream_id = 2 * i + 1}, std::to_string(i));
  Write(bytes);
  RunUntil([&] { return messages() == 1; });
  Write(Message({.stream_id = 11}, "5"));
  for (size_t seen = 1; seen < 6; ++seen) {
    RunReady();
    EXPECT_EQ(messages(), seen) << "nothing is delivered while paused";
    connection->ResumeReading();
    RunUntil([&] { return messages() > seen; });
  }
  for (uint32_t i = 0; i < 6; ++i) EXPECT_EQ(recorder_.messages.at(i).second, std::to_string(i));
}

TEST_F(ConnectionTest, AFloodLeavesOthersTheirTurn) {
  const auto flooded = Connect();
  UniqueFd flood_far = std::move(far_);
  Recorder other_recorder;
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  UniqueFd other_far(fds[1]);
  Connection other(loop_, UniqueFd(fds[0]), &other_recorder, {});
  other.Start();

  std::string flood;
  for (int i = 0; i < 5000; ++i) flood += Message({.stream_id = 1}, "");
  ASSERT_EQ(send(flood_far.get(), flood.data(), flood.size(), 0),
            static_cast<ssize_t>(flood.size()));
  const std::string single = Message({.stream_id = 1}, "");
  recorder_.on_message = [&] {
    if (messages() == 1) {
      ASSERT_EQ(send(other_far.get(), single.data(), single.size(), 0),
                static_cast<ssize_t>(single.size()));
    }
  };
  size_t before = 5000;
  other_recorder.on_message = [&] { before = messages(); };
  RunUntil([&] { return other_recorder.messages.size() == 1; });
  EXPECT_LT(before, 300U) << "of 5000, before the other connection's message";
  RunUntil([&] { return messages() == 5000; });
}

TEST_F(ConnectionTest, TheLastMessageBeforeCloseIsHeard) {
  const auto connection = Connect();
  Write(Message({.stream_id = 1}, "last"));
  far_.reset();
  RunUntil([&] { return recorder_.closed.has_value(); });
  EXPECT_EQ(messages(), 1U);
  EXPECT_EQ(recorder_.closed, CloseReason::kEndOfFile);
  EXPECT_TRUE(connection->closed());
}

TEST_F(ConnectionTest, TheLastMessageIsHeardThoughWritingFailed) {
  const auto connection = Connect();
  Write(Message({.stream_id = 1}, "last"));
  far_.reset();
  connection->Send({.stream_id = 3}, "into the void");
  connection->Send({.stream_id = 5}, std::string(300'000, 'x'));
  RunUntil([&] { return recorder_.closed.has_value(); });
  EXPECT_EQ(messages(), 1U);
}

TEST_F(ConnectionTest, WhileReadingIsPausedWhatIsLeftWaitsBeforeClose) {
  const auto connection = Connect();
  connection->PauseReading();
  Write(Message({.stream_id = 1}, "last"));
  far_.reset();
  RunReady();
  EXPECT_FALSE(recorder_.closed.has_value());
  connection->ResumeReading();
  RunUntil([&] { return recorder_.closed.has_value(); });
  EXPECT_EQ(messages(), 1U);
}

TEST_F(ConnectionTest, WithoutDeliveryAPausedConnectionClosesWhenTheOtherSideGoes) {
  for (const bool half : {false, true}) {
    recorder_.closed.reset();
    ConnectionOptions options;
    options.deliver_before_close = false;
    const auto connection = Connect(options);
    connection->PauseReading();
    RunReady();
    EXPECT_FALSE(recorder_.closed.has_value());
    Write(Message({.stream_id = 1}, "unheard"));
    if (half) {
      ASSERT_EQ(shutdown(far_.get(), SHUT_WR), 0);
    } else {
      far_.reset();
    }
    RunUntil([&] { return recorder_.closed.has_value(); });
    EXPECT_EQ(recorder_.closed, CloseReason::kEndOfFile);
    EXPECT_EQ(messages(), 0U);
  }
}

// The kernel reports an error as well as the end of file here.
TEST_F(ConnectionTest, WithoutDeliveryAPausedConnectionClosesThoughSomethingIsUnread) {
  ConnectionOptions options;
  options.deliver_before_close = false;
  const auto connection = Connect(options);
  connection->Send({.stream_id = 1}, "unread");
  RunReady();
  connection->PauseReading();
  far_.reset();
  RunUntil([&] { return recorder_.closed.has_value(); });
}

TEST_F(ConnectionTest, OversizedMessagesAreDiscardedAndTheNextIsHeard) {
  ConnectionOptions options;
  options.message_size = 10;
  const auto connection = Connect(options);
  Write(Message({.stream_id = 7, .type = MessageType::kData}, std::string(100'000, 'x')) +
        Message({.stream_id = 9}, "0123456789"));
  RunUntil([&] { return messages() == 1; });
  ASSERT_EQ(recorder_.oversized.size(), 1U);
  EXPECT_EQ(
      recorder_.oversized[0],
      (MessageHeader{.length = 100'000, .stream_id = 7, .type = MessageType::kData, .flags = 0}));
}

TEST_F(ConnectionTest, AReservedByteThatIsNotZeroEndsIt) {
  const auto connection = Connect();
  Write(Message({.stream_id = 1}, "good") + std::string(10, '\x01') +
        Message({.stream_id = 3}, "unheard"));
  RunUntil([&] { return recorder_.closed.has_value(); });
  EXPECT_EQ(recorder_.closed, CloseReason::kProtocolError);
  EXPECT_EQ(messages(), 1U);
}

TEST_F(ConnectionTest, CloseAfterFlushWritesEverythingThenEnds) {
  const auto connection = Connect();
  const std::string data(2'000'000, 'y');
  connection->Send({.stream_id = 1}, data);
  connection->CloseAfterFlush();
  Write(Message({.stream_id = 1}, "unheard"));
  std::string read;
  RunUntil([&] {
    read += ReadAll();
    RunReady();
    return recorder_.closed.has_value() && read.size() == data.size() + kMessageHeaderLength;
  });
  EXPECT_EQ(recorder_.closed, CloseReason::kFlushed);
  EXPECT_EQ(messages(), 0U);
  char byte;
  EXPECT_LE(recv(far_.get(), &byte, 1, MSG_DONTWAIT), 0);
}

TEST_F(ConnectionTest, CloseAfterFlushEndsThoughTheOtherSideIsGone) {
  const auto connection = Connect();
  connection->Send({.stream_id = 1}, std::string(2'000'000, 'y'));
  RunReady();
  connection->CloseAfterFlush();
  far_.reset();
  RunUntil([&] { return recorder_.closed.has_value(); });
  EXPECT_EQ(recorder_.closed, CloseReason::kSystemError);
}

TEST_F(ConnectionTest, ClosedInItsOwnCallbackItSaysNothingMore) {
  const auto connection = Connect();
  recorder_.on_message = [&] { connection->Close(); };
  Write(Message({.stream_id = 1}, "a") + Message({.stream_id = 3}, "b"));
  RunUntil([&] { return connection->closed(); });
  RunReady();
  EXPECT_EQ(messages(), 1U);
  EXPECT_FALSE(recorder_.closed.has_value());
  connection->Send({.stream_id = 1}, "ignored");
  RunReady();
}

TEST_F(ConnectionTest, DestroyedWithWorkScheduledItLeavesNothingBehind) {
  auto connection = Connect();
  connection->Send({.stream_id = 1}, "never sent");
  connection.reset();
  RunReady();
  EXPECT_FALSE(recorder_.closed.has_value());
}

TEST_F(ConnectionTest, WhatCannotBeWaitedForIsClosed) {
  // The kernel cannot watch a regular file, which has the same effect as a lack of memory.
  UniqueFd file(memfd_create("", MFD_CLOEXEC));
  Connection connection(loop_, std::move(file), &recorder_, {});
  connection.Start();
  EXPECT_FALSE(recorder_.closed.has_value()) << "OnClosed() was called within the call";
  RunUntil([&] { return recorder_.closed.has_value(); });
  EXPECT_EQ(recorder_.closed, CloseReason::kSystemError);
  EXPECT_TRUE(connection.closed());
}

TEST_F(ConnectionTest, NothingMovesBeforeStart) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  far_.reset(fds[1]);
  Connection connection(loop_, UniqueFd(fds[0]), &recorder_, {});
  connection.Send({.stream_id = 1}, "queued");
  Write(Message({.stream_id = 3}, "waiting"));
  RunReady();
  EXPECT_EQ(ReadAll(), "");
  EXPECT_EQ(messages(), 0U);
  connection.Start();
  RunUntil([&] { return messages() == 1; });
  EXPECT_EQ(ReadAll(), Message({.stream_id = 1}, "queued"));
}

TEST_F(ConnectionTest, ATimerMayDestroyItself) {
  std::unique_ptr<Timer> timer;
  int fired = 0;
  timer = std::make_unique<Timer>(loop_, [&] {
    timer.reset();
    ++fired;
  });
  timer->Start(std::chrono::milliseconds(1));
  EXPECT_TRUE(timer->active());
  RunUntil([&] { return fired == 1; });
}

}  // namespace
}  // namespace ttrpc
