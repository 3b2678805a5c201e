// SPDX-License-Identifier: Apache-2.0
//
// Helpers for the tests of Connection: a handler that records its events, and a connection whose
// other end belongs to the test. Use them on the loop's thread.
#pragma once

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/wire.h"
#include "ttrpc/timer.h"
#include "ttrpc/wire/connection.h"

namespace ttrpc::test {

struct EventBaseDeleter {
  void operator()(event_base* base) const { event_base_free(base); }
};

using ::test::Message;

// Records events, and runs the actions that a test adds.
class Recorder final : public ConnectionHandler {
 public:
  void OnMessage(const MessageHeader& header, std::string_view data) override {
    messages.emplace_back(header.stream_id, std::string(data));
    if (on_message) on_message();
  }
  void OnOversizedMessage(const MessageHeader& header) override { oversized.push_back(header); }
  void OnSendQueueLow() override { ++lows; }
  void OnHeldChanged() override { ++held_changes; }
  void OnPartialMessage(bool is_partial) override { partial.push_back(is_partial); }
  void OnWriteBlocked(bool is_blocked) override { blocked.push_back(is_blocked); }
  void OnClosed(CloseReason reason, int) override {
    EXPECT_FALSE(closed.has_value()) << "OnClosed() was called twice";
    closed = reason;
  }

  std::vector<std::pair<uint32_t, std::string>> messages;
  std::vector<MessageHeader> oversized;
  std::vector<bool> partial;
  std::vector<bool> blocked;
  std::function<void()> on_message;
  int held_changes = 0;
  int lows = 0;
  std::optional<CloseReason> closed;
};

class ConnectionFixture : public ::testing::Test {
 protected:
  ConnectionFixture() : base_(event_base_new()), loop_(base_.get(), Now) {
    now_ = IoLoop::TimePoint(std::chrono::hours(1));
  }

  // The loop's clock. Only a test moves it, so that no turn ends because the
  // machine is slow.
  static IoLoop::TimePoint Now() { return now_; }
  static void Advance(std::chrono::nanoseconds time) { now_ += time; }

  // Connects one end of a socketpair. The test gets the other end, which is blocking.
  std::unique_ptr<Connection> Connect(const ConnectionOptions& options = {}) {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    far_.reset(fds[1]);
    EXPECT_EQ(evutil_make_socket_nonblocking(fds[0]), 0);
    auto connection = std::make_unique<Connection>(loop_, UniqueFd(fds[0]), &recorder_, options);
    connection->Start();
    return connection;
  }

  // Turns the loop until `done` returns true. A generous deadline fails the test.
  void RunUntil(const std::function<bool()>& done) {
    bool late = false;
    Timer deadline(loop_, [&late] { late = true; });
    deadline.Start(std::chrono::seconds(30));
    while (!done()) {
      ASSERT_FALSE(late);
      RunReady();  // must not wait, because `done` may act at the other end
    }
  }
  void RunReady() { event_base_loop(base_.get(), EVLOOP_NONBLOCK); }

  void Write(std::string_view bytes) {
    ASSERT_EQ(send(far_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Reads what is available without waiting.
  std::string ReadAll() {
    std::string all(1 << 20, '\0');
    const ssize_t n = recv(far_.get(), all.data(), all.size(), MSG_DONTWAIT);
    all.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return all;
  }
  size_t messages() const { return recorder_.messages.size(); }

  // The start time differs from the epoch, which marks a turn that is not measured.
  static inline IoLoop::TimePoint now_;

  std::unique_ptr<event_base, EventBaseDeleter> base_;
  IoLoop loop_;
  Recorder recorder_;
  UniqueFd far_;
};

}  // namespace ttrpc::test
