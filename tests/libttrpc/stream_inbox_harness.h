// SPDX-License-Identifier: Apache-2.0
//
// Helpers for the tests of StreamInbox and ReadGate: inboxes with their owners, behind the gate of
// a real connection. Use them on the loop's thread.
#pragma once

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stream_inbox.h"
#include "support/run_until.h"
#include "support/wire.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/task.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/connection.h"
#include "ttrpc/wire/message.h"

namespace ttrpc::test {

using Got = std::vector<std::string>;

inline constexpr size_t kStreamBuffer = 1000;
// The overhead that each message counts in addition to its bytes.
inline constexpr size_t kMessageCost = sizeof(std::string);

// Returns a message that takes up `size` bytes.
inline std::string Taking(size_t size) { return std::string(size - kMessageCost, 'x'); }

inline const Status kFull(StatusCode::kResourceExhausted, "full");

// An inbox and its owner, which records the report and then acts as the test wants.
class OwnedInbox final : public StreamInbox::Owner {
 public:
  explicit OwnedInbox(IoLoop& loop) : inbox(loop, *this) {}

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

inline Task<void> TakeOne(StreamInbox* inbox, std::string* got) {
  std::optional<std::string> message = co_await inbox->Next();
  *got = message ? std::move(*message) : "the end";
}

inline Task<void> TakeAll(StreamInbox* inbox, Got* got) {
  for (bool more = true; more;) {
    std::optional<std::string> message = co_await inbox->Next();
    more = message.has_value();
    got->push_back(more ? std::move(*message) : "the end");
  }
}

class StreamInboxFixture : public testing::Test {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    far_.reset(fds[1]);
    connection_.emplace(loop_.io(), UniqueFd(fds[0]), &counter_, ConnectionOptions());
    connection_->Start();
    gate_.emplace(loop_.io(), *connection_, kStreamBuffer);
  }

  std::unique_ptr<OwnedInbox> Open() {
    auto stream = std::make_unique<OwnedInbox>(loop_.io());
    stream->inbox.Attach(*gate_);
    return stream;
  }
  // Opens streams that together fill the connection's limit without exceeding their own.
  std::vector<std::unique_ptr<OwnedInbox>> OpenFour() {
    std::vector<std::unique_ptr<OwnedInbox>> streams;
    for (int i = 0; i < 4; ++i) {
      streams.push_back(Open());
      streams.back()->inbox.Push(Taking(kStreamBuffer));
    }
    return streams;
  }

  // Handles everything that is ready now.
  void RunReady() {
    for (int i = 0; i < 5; ++i) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  }
  void RunUntil(const std::function<bool()>& done) { ::test::RunUntil(loop_, done); }

  // Returns what Next() returns at once.
  static std::string Take(OwnedInbox& stream) {
    std::string got = "nothing yet";
    TaskGroup tasks;
    tasks.Spawn(TakeOne(&stream.inbox, &got));
    return got;
  }

  // Returns true if everything that the other end has written is delivered.
  bool Reads() {
    const std::string bytes =
        ::test::Message({.stream_id = 1, .type = MessageType::kData, .flags = 0}, "");
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

}  // namespace ttrpc::test
