// SPDX-License-Identifier: Apache-2.0
#include "proxy/backend_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class BackendPoolTest : public test::BackendFixture, private BackendPoolOwner {
 protected:
  BackendConnection* Find() { return std::get<BackendConnection*>(FindOrLimit()); }
  FoundBackend FindOrLimit() { return pool_.ConnectionTo(backend(), slot_); }
  void Add(Call* call) {
    call->owner = &peer_;
    Find()->Add(call);
  }
  size_t open() const { return accounting_.backend_connections(); }

  void OnBackendSendQueueLow() override { ++low_; }
  void OnBackendHeldChanged() override { ++held_changed_; }
  void OnBackendLost(BackendConnection& connection) override {
    lost_.push_back(connection.calls());
  }

  ConnectionSlot slot_ = Connect();
  BackendPool pool_{context_, kUser, *this};
  test::FakePeer peer_;
  Call call_{StreamState(0)};
  int low_ = 0;
  int held_changed_ = 0;
  std::vector<size_t> lost_;  // for each lost connection, the number of calls on it
};

TEST_F(BackendPoolTest, AConnectionThatTakesCallsIsUsedAgain) {
  Listen();
  BackendConnection* const first = Find();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(Find(), first);
  EXPECT_TRUE(pool_.Has(*first));
  first->Retire();
  BackendConnection* const second = Find();
  EXPECT_NE(second, first);
  EXPECT_EQ(Find(), second);
  EXPECT_EQ(open(), 2U);
}

TEST_F(BackendPoolTest, EachBackendHasConnectionsOfItsOwn) {
  config_.backends.push_back(config_.backends[0]);
  config_.backends[1].name = "other";
  Load();
  Listen();
  const auto other = pool_.ConnectionTo(generation_->backend(1), slot_);
  EXPECT_NE(std::get<BackendConnection*>(other), Find());
}

TEST_F(BackendPoolTest, NobodyThereIsNull) {
  EXPECT_EQ(Find(), nullptr);
  EXPECT_EQ(open(), 0U) << "the slot is released";
}

TEST_F(BackendPoolTest, TheLimitThatIsReachedIsGiven) {
  limits_.per_user = 1;
  Listen();
  Find()->Retire();
  EXPECT_EQ(std::get<Limit>(FindOrLimit()), Limit::kBackendConnectionsPerUser);
}

TEST_F(BackendPoolTest, ARetiredConnectionIsDroppedAfterItsLastCall) {
  Listen();
  Add(&call_);
  pool_.Retire();
  EXPECT_EQ(open(), 1U);
  EXPECT_EQ(low_, 0);
  call_.backend->Remove(call_);
  EXPECT_EQ(open(), 0U);
  EXPECT_EQ(low_, 1) << "the calls that waited for it may continue";
  EXPECT_EQ(held_changed_, 1);
  const auto server = Accept();
  EXPECT_EQ(backend()->counters().connections, 1U) << "a callback of the connection may be running";
  RunUntil([this] { return reaped_ == 1; });
  EXPECT_EQ(backend()->counters().connections, 0U);
  RunUntil([&server] { return server->closed(); });
}

TEST_F(BackendPoolTest, WithoutACallItIsDroppedAtOnce) {
  Listen();
  Find();
  pool_.Retire();
  EXPECT_EQ(open(), 0U);
}

TEST_F(BackendPoolTest, AReloadRetiresWhatLeadsElsewhere) {
  Listen();
  BackendConnection* const kept = Find();
  Load();
  pool_.Reload();
  EXPECT_EQ(Find(), kept) << "the backend is the same one";
  Add(&call_);
  const Ref<Backend> before = backend();
  config_.backends[0].addresses = {*ttrpc::Address::Parse("unix:///nowhere")};
  Load();
  pool_.Reload();
  EXPECT_TRUE(kept->retired());
  EXPECT_EQ(open(), 1U) << "the call on it continues";
  call_.backend->Remove(call_);
  EXPECT_EQ(open(), 0U);
}

TEST_F(BackendPoolTest, MessagesGoToTheOwnersOfTheirCalls) {
  Listen();
  Add(&call_);
  test::FakePeer other;
  Call of_other{StreamState(0)};
  of_other.owner = &other;
  Find()->Add(&of_other);
  const auto server = Accept();
  server->Send({.stream_id = 3, .type = ttrpc::MessageType::kResponse}, "b");
  server->Send({.stream_id = 5, .type = ttrpc::MessageType::kResponse}, "of no call");
  server->Send({.stream_id = 1, .type = ttrpc::MessageType::kResponse}, "a");
  RunUntil([this] { return !peer_.heard().empty(); });
  EXPECT_THAT(peer_.heard(), ElementsAre("1 a"));
  EXPECT_THAT(other.heard(), ElementsAre("3 b"));
  EXPECT_EQ(counters_.of(ProtocolError::kBackendMessage), 1U);
}

TEST_F(BackendPoolTest, AnOversizedMessageRetiresTheConnection) {
  config_.limits.message_size = 10;
  Load();
  Listen();
  Add(&call_);
  const auto server = Accept();
  server->Send({.stream_id = 1, .type = ttrpc::MessageType::kResponse}, std::string(11, 'x'));
  RunUntil([this] { return !peer_.heard().empty(); });
  EXPECT_THAT(peer_.heard(), ElementsAre("1 oversized"));
  EXPECT_EQ(open(), 0U);
}

TEST_F(BackendPoolTest, ABackendThatCannotBeReachedAfterAllIsAnswered) {
  config_.backends[0].wait = std::chrono::milliseconds(1);
  Load();
  Add(&call_);
  RunUntil([this] { return !peer_.heard().empty(); });
  EXPECT_THAT(peer_.heard(), ElementsAre("1 backend \"back\" cannot be reached"));
  EXPECT_THAT(peer_.reasons(), ElementsAre(AuditReason::kBackendUnreachable));
  EXPECT_EQ(open(), 0U);
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(BackendPoolTest, ABackendThatTakesNothingIsAnswered) {
  write_deadlines_.SetDelay(std::chrono::milliseconds(1));
  Listen();
  Add(&call_);
  // The payload is larger than the buffer of a socket.
  call_.backend->connection().Send({.stream_id = 1, .type = ttrpc::MessageType::kData},
                                   std::string(4U << 20, 'x'));
  EXPECT_TRUE(pool_.send_queue_full());
  RunUntil([this] { return !peer_.heard().empty(); });
  EXPECT_THAT(peer_.heard(), ElementsAre("1 backend \"back\" has stopped reading"));
  EXPECT_THAT(peer_.reasons(), ElementsAre(AuditReason::kBackendLost));
  EXPECT_EQ(counters_.timed_out, 1U);
  EXPECT_FALSE(pool_.send_queue_full());
}

TEST_F(BackendPoolTest, CallsOfALostConnectionFailIfTheBackendSaysSo) {
  config_.backends[0].on_disconnect = BackendConfig::OnDisconnect::kFailCalls;
  Load();
  Listen();
  Add(&call_);
  Accept()->Close();
  RunUntil([this] { return !peer_.heard().empty(); });
  EXPECT_THAT(peer_.heard(), ElementsAre("1 backend \"back\" disconnected"));
  EXPECT_THAT(peer_.reasons(), ElementsAre(AuditReason::kBackendLost));
  EXPECT_EQ(open(), 0U);
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(BackendPoolTest, ElseItsOwnerDecidesWhatBecomesOfThem) {
  Listen();
  Add(&call_);
  Accept()->Close();
  RunUntil([this] { return !lost_.empty(); });
  EXPECT_THAT(lost_, ElementsAre(1U));
  EXPECT_THAT(peer_.heard(), IsEmpty());
  call_.backend->Remove(call_);
  RunUntil([this] { return reaped_ == 1; });
  EXPECT_EQ(backend()->counters().connections, 0U);
}

TEST_F(BackendPoolTest, AConnectionWithoutCallsIsLostAsWell) {
  Listen();
  Find();
  Accept()->Close();
  RunUntil([this] { return !lost_.empty(); });
  EXPECT_THAT(lost_, ElementsAre(0U));
  EXPECT_EQ(open(), 0U);
}

// A pool is paused while its peer does not read. Answers then wait.
TEST_F(BackendPoolTest, WhilePausedNothingIsRead) {
  Listen();
  Add(&call_);
  const auto server = Accept();
  pool_.PauseReading();
  server->Respond(1);
  for (int i = 0; i < 3; ++i) RunOnce();
  EXPECT_THAT(peer_.heard(), IsEmpty());
  pool_.ResumeReading();
  RunUntil([this] { return !peer_.heard().empty(); });
  EXPECT_THAT(peer_.heard(), ElementsAre("1 "));
}

}  // namespace
}  // namespace proxyd
