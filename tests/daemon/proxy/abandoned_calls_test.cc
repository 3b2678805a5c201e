// SPDX-License-Identifier: Apache-2.0
//
// Calls that nobody waits for any more: they are their user's until the backend is done with them.
#include <event2/event.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "proxy/backend_connection.h"
#include "proxy/worker.h"
#include "support/policy_builder.h"

namespace proxyd {
namespace {

using ttrpc::MessageHeader;
using ttrpc::MessageType;

class NowhereTarget final : public AuditTarget {
 public:
  bool Write(std::string_view) override { return true; }
};

struct EventBaseDeleter {
  void operator()(event_base* base) const { event_base_free(base); }
};

Config OneBackend() {
  Config config = test::ConfigOf({});
  config.backends.push_back({.name = "back",
                             .addresses = {*ttrpc::Address::Parse("unix:///nowhere")},
                             .users = {::getuid()},
                             .position = {}});
  return config;
}

class AbandonedCallsTest : public ::testing::Test, protected BackendConnectionOwner {
 protected:
  AbandonedCallsTest()
      : config_(OneBackend()),
        audit_(config_.audit, std::make_unique<NowhereTarget>()),
        reports_(audit_),
        base_(event_base_new()),
        worker_(base_.get(), std::make_shared<const Snapshot>(config_, test::kOverflow),
                {.reports = reports_,
                 .accounting = accounting_,
                 .abandoned_for = std::chrono::milliseconds(1)}),
        place_(std::get<ConnectionPlace>(
            accounting_.Connect(1000, config_.listeners[0], config_.limits, {}))),
        connection_(worker_, worker_.generation()->backend(0), *this) {
    Add(&waited_for_);
    Add(&call_);
  }

  void Add(Call* call) {
    EXPECT_TRUE(place_.account().TakeCall(100, &call->place));
    connection_.Add(call);
  }
  void Abandon(Call* call) { connection_.Abandon(call, &peer_); }
  // A message from the backend for call_.
  void Receive(MessageType type, uint8_t flags = 0) {
    handler().OnMessage({.stream_id = call_.backend_id, .type = type, .flags = flags}, "");
  }
  ttrpc::ConnectionHandler& handler() { return connection_; }
  uint32_t places() { return place_.account().calls(); }
  uint64_t in_flight() { return connection_.backend().counters().calls_in_flight; }

  uid_t uid() const override { return 1000; }
  void OnBackendMessage(Call& call, const MessageHeader&, std::string_view) override {
    Abandon(&call);
  }
  void OnBackendOversizedMessage(Call& call, const MessageHeader&) override { Abandon(&call); }
  void OnBackendSendQueueLow() override {}
  void OnBackendHeldChanged() override {}
  void OnBackendCallEnded(BackendConnection&) override { ++ended_; }
  void OnBackendUnreachable(BackendConnection&) override {}
  void OnBackendStuck(BackendConnection&) override {}
  void OnBackendClosed(BackendConnection&, ttrpc::CloseReason) override {}

  Config config_;
  Audit audit_;
  Reports reports_;
  std::unique_ptr<event_base, EventBaseDeleter> base_;
  Accounting accounting_;
  Worker worker_;
  ConnectionPlace place_;
  ttrpc::RingNode peer_;
  int ended_ = 0;
  Call waited_for_{StreamState(0)};
  Call call_{StreamState(0)};
  BackendConnection connection_;
};

TEST_F(AbandonedCallsTest, APlaceIsTakenUntilTheBackendResponds) {
  Abandon(&call_);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(connection_.calls(), 1U);
  Receive(MessageType::kData);
  EXPECT_EQ(places(), 2U);
  EXPECT_EQ(in_flight(), 2U);
  EXPECT_FALSE(peer_.alone());
  Receive(MessageType::kResponse);
  EXPECT_EQ(places(), 1U);
  EXPECT_EQ(in_flight(), 1U);
  EXPECT_TRUE(peer_.alone());
  Receive(MessageType::kResponse);
  EXPECT_EQ(places(), 1U);
  EXPECT_EQ(worker_.counters().of(ProtocolError::kBackendMessage), 3U) << "each is dropped";
}

TEST_F(AbandonedCallsTest, OrUntilItEndsItsStream) {
  Abandon(&call_);
  Receive(MessageType::kData, ttrpc::kFlagNoData);
  EXPECT_EQ(places(), 2U);
  Receive(MessageType::kData, ttrpc::kFlagRemoteClosed);
  EXPECT_EQ(places(), 1U);
}

TEST_F(AbandonedCallsTest, AResponseThatIsTooLongIsTheLast) {
  Abandon(&call_);
  handler().OnOversizedMessage({.stream_id = call_.backend_id, .type = MessageType::kResponse});
  EXPECT_EQ(places(), 1U);
}

// It is refused, and the backend sends nothing more.
TEST_F(AbandonedCallsTest, TheMessageForWhichACallIsAbandonedMayBeTheLast) {
  Receive(MessageType::kData, ttrpc::kFlagRemoteClosed);
  EXPECT_EQ(places(), 1U);
  handler().OnOversizedMessage(
      {.stream_id = waited_for_.backend_id, .type = MessageType::kResponse});
  EXPECT_EQ(places(), 0U);
  EXPECT_EQ(in_flight(), 0U);
}

TEST_F(AbandonedCallsTest, TheEndOfTheConnectionGivesTheirPlacesBack) {
  Abandon(&call_);
  connection_.Close();
  EXPECT_EQ(places(), 1U);
  Abandon(&waited_for_);
  EXPECT_EQ(places(), 0U);
  EXPECT_EQ(in_flight(), 0U);
  EXPECT_TRUE(peer_.alone());
}

TEST_F(AbandonedCallsTest, OnceItsPeerHasLeftTheConnectionIsRetiredInTime) {
  Abandon(&call_);
  ended_ = 0;
  worker_.abandoned_deadlines().Start(&static_cast<AbandonedCall*>(peer_.next)->deadline);
  EXPECT_TRUE(connection_.takes_calls());
  while (!connection_.retired()) ASSERT_EQ(event_base_loop(base_.get(), EVLOOP_ONCE), 0);
  EXPECT_EQ(ended_, 1) << "its owner learns of it";
  EXPECT_EQ(connection_.calls(), 1U) << "others go on";
  EXPECT_EQ(places(), 2U);
}

TEST_F(AbandonedCallsTest, AnAnswerInTimeLeavesTheConnectionAsItIs) {
  Abandon(&call_);
  worker_.abandoned_deadlines().Start(&static_cast<AbandonedCall*>(peer_.next)->deadline);
  Receive(MessageType::kResponse);
  // The timer fires for nobody.
  ASSERT_EQ(event_base_loop(base_.get(), EVLOOP_ONCE), 0);
  EXPECT_FALSE(connection_.retired());
}

// The backend has not been asked for anything yet.
TEST_F(AbandonedCallsTest, AConnectionThatIsNotThereYetIsNotKeptForThem) {
  Abandon(&call_);
  EXPECT_FALSE(connection_.retired());
  Abandon(&waited_for_);
  EXPECT_TRUE(connection_.retired());
}

}  // namespace
}  // namespace proxyd
