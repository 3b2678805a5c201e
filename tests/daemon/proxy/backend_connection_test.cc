// SPDX-License-Identifier: Apache-2.0
#include "proxy/backend_connection.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "harness.h"

namespace proxyd {
namespace {

class NoOwner final : public BackendConnectionOwner {
 public:
  void OnBackendSendQueueLow() override {}
  void OnBackendHeldChanged() override {}
  void OnBackendCallEnded(BackendConnection&) override {}
  void OnBackendUnreachable(BackendConnection&) override {}
  void OnBackendStuck(BackendConnection&) override {}
  void OnBackendClosed(BackendConnection&, ttrpc::CloseReason) override {}
};

class BackendConnectionTest : public test::BackendFixture {
 protected:
  BackendConnectionTest() { few_ids_.last_stream_id = 5; }
  std::unique_ptr<BackendConnection> Open() {
    return BackendConnection::Open(few_ids_, {.backend = backend(), .uid = kUser}, owner_);
  }

  BackendContext few_ids_ = context_;
  NoOwner owner_;
};

// A timer that was left running would dial with a closed descriptor, and record a failure of the
// backend.
TEST_F(BackendConnectionTest, ClosedWhileItDialsItLeavesNothingRunning) {
  // A backlog of 0 has room for one connection.
  const ttrpc::SocketAddress where = config_.backends[0].addresses[0].ToSocketAddress();
  const ttrpc::UniqueFd listener = test::NewSocket();
  ASSERT_EQ(::bind(listener.get(), where.get(), where.length), 0);
  ASSERT_EQ(::listen(listener.get(), 0), 0);
  const ttrpc::UniqueFd waiting = test::NewSocket();
  ASSERT_EQ(::connect(waiting.get(), where.get(), where.length), 0);

  const int events = event_base_get_num_events(loop_.base(), EVENT_BASE_COUNT_ADDED);
  const auto connection = Open();
  ASSERT_NE(connection, nullptr);
  EXPECT_GT(event_base_get_num_events(loop_.base(), EVENT_BASE_COUNT_ADDED), events)
      << "it does not dial";
  connection->Close();
  EXPECT_EQ(event_base_get_num_events(loop_.base(), EVENT_BASE_COUNT_ADDED), events);
}

// Ids are not reused on a connection. When they run out, calls go to a new one.
TEST_F(BackendConnectionTest, TheLastIdRetiresIt) {
  Listen();
  const auto connection = Open();
  ASSERT_NE(connection, nullptr);
  for (const uint32_t id : {1U, 3U, 5U}) {
    ASSERT_TRUE(connection->takes_calls()) << id;
    Call call{StreamState(0)};
    connection->Add(&call);
    EXPECT_EQ(call.backend_id, id);
    connection->Remove(call);
  }
  EXPECT_FALSE(connection->takes_calls());
  EXPECT_TRUE(connection->retired());
}

// A backend may also work on calls that nobody waits for.
TEST_F(BackendConnectionTest, TheOldestCallIsKnown) {
  using std::chrono::seconds;
  Listen();
  const auto connection = Open();
  ASSERT_NE(connection, nullptr);
  const BackendCounters& counters = connection->backend().counters();
  EXPECT_EQ(counters.oldest_call(), std::nullopt);
  const auto now = std::chrono::steady_clock::now();
  ttrpc::RingNode others;
  {
    Call first{StreamState(0)};
    Call second{StreamState(0)};
    first.start = now;
    second.start = now + seconds(1);
    connection->Add(&first);
    connection->Add(&second);
    EXPECT_EQ(counters.oldest_call(), now);
    connection->Abandon(&first, &others);
    EXPECT_EQ(counters.oldest_call(), now) << "the backend still works on it";
    connection->Remove(second);
    EXPECT_EQ(counters.oldest_call(), now);
  }
  connection->Close();
  EXPECT_EQ(counters.oldest_call(), std::nullopt);
}

}  // namespace
}  // namespace proxyd
