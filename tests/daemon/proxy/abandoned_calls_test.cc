// SPDX-License-Identifier: Apache-2.0
//
// Abandoned calls: calls that nobody waits for any more. They count for their user until the
// backend has finished with them.
#include <event2/event.h>
#include <gtest/gtest.h>

#include <memory>
#include <string_view>
#include <utility>

#include "harness.h"

namespace proxyd {
namespace {

using ttrpc::MessageHeader;
using ttrpc::MessageType;

class AbandonedCallsTest : public test::BackendFixture,
                           protected BackendConnectionOwner,
                           private CallOwner {
 protected:
  // The backend does not listen yet, so the connection keeps dialling.
  AbandonedCallsTest() {
    abandoned_deadlines_.SetDelay(std::chrono::milliseconds(1));
    config_.backends[0].wait = std::chrono::hours(1);
    Load();
    open_ = BackendConnection::Open(context_, {.backend = backend(), .uid = kUser}, *this);
    Add(&waited_for_);
    Add(&call_);
  }

  void Add(Call* call) {
    EXPECT_TRUE(slot_.account().TakeCall(100, &call->slot));
    call->owner = this;
    connection().Add(call);
  }
  void Abandon(Call* call) { connection().Abandon(call, &peer_); }
  // Delivers a message of the backend for call_.
  void Receive(MessageType type, uint8_t flags = 0) {
    handler().OnMessage({.stream_id = call_.backend_id, .type = type, .flags = flags}, "");
  }
  BackendConnection& connection() { return *open_; }
  ttrpc::ConnectionHandler& handler() { return *open_; }
  uint32_t slots() { return slot_.account().calls(); }
  uint64_t in_flight() { return connection().backend().counters().calls_in_flight; }

  void OnBackendMessage(Call& call, const MessageHeader&, std::string_view) override {
    Abandon(&call);
  }
  void OnBackendOversizedMessage(Call& call, const MessageHeader&) override { Abandon(&call); }
  void AnswerCall(Call&, const ttrpc::Status&, const AuditCause&) override {}
  void LoseBackend(const BackendConfig&) override {}
  void OnBackendSendQueueLow() override {}
  void OnBackendHeldChanged() override {}
  void OnBackendCallEnded(BackendConnection&) override { ++ended_; }
  void OnBackendUnreachable(BackendConnection&) override {}
  void OnBackendStuck(BackendConnection&) override {}
  void OnBackendClosed(BackendConnection&, ttrpc::CloseReason) override {}

  ConnectionSlot slot_ = Connect();
  ttrpc::RingNode peer_;
  int ended_ = 0;
  Call waited_for_{StreamState(0)};
  Call call_{StreamState(0)};
  std::unique_ptr<BackendConnection> open_;
};

TEST_F(AbandonedCallsTest, ASlotIsTakenUntilTheBackendResponds) {
  Abandon(&call_);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(connection().calls(), 1U);
  Receive(MessageType::kData);
  EXPECT_EQ(slots(), 2U);
  EXPECT_EQ(in_flight(), 2U);
  EXPECT_FALSE(peer_.alone());
  Receive(MessageType::kResponse);
  EXPECT_EQ(slots(), 1U);
  EXPECT_EQ(in_flight(), 1U);
  EXPECT_TRUE(peer_.alone());
  Receive(MessageType::kResponse);
  EXPECT_EQ(slots(), 1U);
  EXPECT_EQ(counters_.of(ProtocolError::kBackendMessage), 3U) << "each is dropped";
}

TEST_F(AbandonedCallsTest, OrUntilItEndsItsStream) {
  Abandon(&call_);
  Receive(MessageType::kData, ttrpc::kFlagNoData);
  EXPECT_EQ(slots(), 2U);
  Receive(MessageType::kData, ttrpc::kFlagRemoteClosed);
  EXPECT_EQ(slots(), 1U);
}

TEST_F(AbandonedCallsTest, AResponseThatIsTooLongIsTheLast) {
  Abandon(&call_);
  handler().OnOversizedMessage({.stream_id = call_.backend_id, .type = MessageType::kResponse});
  EXPECT_EQ(slots(), 1U);
}

// The message is refused, and the backend sends nothing after it.
TEST_F(AbandonedCallsTest, TheMessageForWhichACallIsAbandonedMayBeTheLast) {
  Receive(MessageType::kData, ttrpc::kFlagRemoteClosed);
  EXPECT_EQ(slots(), 1U);
  handler().OnOversizedMessage(
      {.stream_id = waited_for_.backend_id, .type = MessageType::kResponse});
  EXPECT_EQ(slots(), 0U);
  EXPECT_EQ(in_flight(), 0U);
}

TEST_F(AbandonedCallsTest, TheEndOfTheConnectionGivesTheirSlotsBack) {
  Abandon(&call_);
  connection().Close();
  EXPECT_EQ(slots(), 1U);
  Abandon(&waited_for_);
  EXPECT_EQ(slots(), 0U);
  EXPECT_EQ(in_flight(), 0U);
  EXPECT_TRUE(peer_.alone());
}

TEST_F(AbandonedCallsTest, OnceItsPeerHasLeftTheConnectionIsRetiredInTime) {
  Abandon(&call_);
  ended_ = 0;
  abandoned_deadlines_.Start(&static_cast<AbandonedCall*>(peer_.next)->deadline);
  EXPECT_TRUE(connection().takes_calls());
  while (!connection().retired()) ASSERT_EQ(event_base_loop(loop_.base(), EVLOOP_ONCE), 0);
  EXPECT_EQ(ended_, 1) << "the owner is notified";
  EXPECT_EQ(connection().calls(), 1U) << "the other call continues";
  EXPECT_EQ(slots(), 2U);
}

TEST_F(AbandonedCallsTest, AnAnswerInTimeLeavesTheConnectionAsItIs) {
  Abandon(&call_);
  abandoned_deadlines_.Start(&static_cast<AbandonedCall*>(peer_.next)->deadline);
  Receive(MessageType::kResponse);
  // The timer fires, but the deadline is no longer in its queue.
  ASSERT_EQ(event_base_loop(loop_.base(), EVLOOP_ONCE), 0);
  EXPECT_FALSE(connection().retired());
}

// The backend has not received anything yet.
TEST_F(AbandonedCallsTest, AConnectionThatIsNotThereYetIsNotKeptForThem) {
  Abandon(&call_);
  EXPECT_FALSE(connection().retired());
  Abandon(&waited_for_);
  EXPECT_TRUE(connection().retired());
}

}  // namespace
}  // namespace proxyd
