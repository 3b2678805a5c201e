// SPDX-License-Identifier: Apache-2.0
#include "proxy/shared_backends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "harness.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SharedBackendsTest : public test::BackendFixture {
 protected:
  SharedBackendsTest() {
    Listen();
    config_.backends[0].connections = BackendConfig::Connections::kPerUser;
    Load();
  }
  SharedBackend& Join(test::FakePeer* peer) { return backends_.Join(*peer, slot_, backend()); }
  static BackendConnection* Find(SharedBackend& shared, const ConnectionSlot& slot) {
    return std::get<BackendConnection*>(shared.Connection(slot));
  }
  void Add(SharedBackend& shared, test::FakePeer* peer, Call* call) {
    call->owner = peer;
    Find(shared, slot_)->Add(call);
  }
  size_t open() const { return accounting_.backend_connections(); }

  ConnectionSlot slot_ = Connect();
  int grew_ = 0;
  SharedBackends backends_{context_, [this](const UserAccount& account) {
                             EXPECT_EQ(&account, &slot_.account());
                             ++grew_;
                           }};
  test::FakePeer one_, two_;
  Call of_one_{StreamState(0)};
  Call of_two_{StreamState(0)};
};

TEST_F(SharedBackendsTest, PeersOfOneUserShareAConnectionAndNoOtherUserDoes) {
  const ConnectionSlot others_slot = Connect(kUser + 1);
  test::FakePeer stranger;
  SharedBackend& first = Join(&one_);
  SharedBackend& second = Join(&two_);
  SharedBackend& other = backends_.Join(stranger, others_slot, backend());
  EXPECT_EQ(&first, &second);
  EXPECT_NE(&first, &other);
  EXPECT_EQ(Find(first, slot_), Find(second, slot_));
  EXPECT_NE(Find(first, slot_), Find(other, others_slot));
  EXPECT_EQ(open(), 2U);
  backends_.Leave(stranger, other);
  backends_.Leave(one_, first);
  backends_.Leave(two_, second);
}

TEST_F(SharedBackendsTest, ItEndsWhenTheLastPeerHasLeft) {
  SharedBackend& shared = Join(&one_);
  Join(&two_);
  Find(shared, slot_);
  const auto server = Accept();
  backends_.Leave(one_, shared);
  RunOnce();
  EXPECT_EQ(open(), 1U);
  backends_.Leave(two_, shared);
  EXPECT_EQ(open(), 0U);
  RunUntil([&server] { return server->closed(); });
  EXPECT_EQ(backend()->counters().connections, 0U);
  Find(Join(&one_), slot_);
  EXPECT_EQ(open(), 1U) << "a later peer opens a new connection";
}

TEST_F(SharedBackendsTest, OnlyPeersWithCallsOnALostConnectionLoseIt) {
  test::FakePeer idle;
  SharedBackend& shared = Join(&one_);
  Join(&two_);
  Join(&idle);
  Call another{StreamState(0)};
  Add(shared, &one_, &of_one_);
  Add(shared, &one_, &another);
  Add(shared, &two_, &of_two_);
  Accept()->Close();
  RunUntil([this] { return !two_.heard().empty(); });
  EXPECT_THAT(one_.heard(), ElementsAre("lost")) << "once, however many calls it has";
  EXPECT_THAT(two_.heard(), ElementsAre("lost"));
  EXPECT_THAT(idle.heard(), IsEmpty());
  for (Call* call : {&of_one_, &another, &of_two_}) call->backend->Remove(*call);
}

TEST_F(SharedBackendsTest, CallsOfALostConnectionFailIfTheBackendSaysSo) {
  config_.backends[0].on_disconnect = BackendConfig::OnDisconnect::kFailCalls;
  Load();
  SharedBackend& shared = Join(&one_);
  Join(&two_);
  Add(shared, &one_, &of_one_);
  Accept()->Close();
  RunUntil([this] { return one_.heard().size() > 1; });
  EXPECT_THAT(one_.heard(), ElementsAre("1 backend \"back\" disconnected", "low"));
  EXPECT_THAT(two_.heard(), ElementsAre("low"));
  EXPECT_EQ(open(), 0U);
}

TEST_F(SharedBackendsTest, AllPeersHearThatTheQueueIsLow) {
  SharedBackend& shared = Join(&one_);
  Join(&two_);
  Add(shared, &one_, &of_one_);
  of_one_.backend->connection().Send({.stream_id = 1, .type = ttrpc::MessageType::kData},
                                     std::string(1U << 20, 'x'));
  EXPECT_TRUE(shared.send_queue_full());
  const auto server = Accept();
  RunUntil([this] { return !two_.heard().empty(); });
  EXPECT_FALSE(shared.send_queue_full());
  EXPECT_THAT(one_.heard(), ElementsAre("low"));
  EXPECT_THAT(two_.heard(), ElementsAre("low"));
  of_one_.backend->Remove(of_one_);
}

// Bytes in the queues of a shared connection count for the user and for none of the peers.
TEST_F(SharedBackendsTest, ItsMemoryCountsForTheUser) {
  SharedBackend& shared = Join(&one_);
  Add(shared, &one_, &of_one_);
  of_one_.backend->connection().Send({.stream_id = 1, .type = ttrpc::MessageType::kData},
                                     std::string(4U << 20, 'x'));
  RunUntil([this] { return grew_ > 0; });
  EXPECT_GT(slot_.account().buffered(), 1U << 20);
  EXPECT_EQ(slot_.buffered(), 0U);
  of_one_.backend->Remove(of_one_);
  backends_.Leave(one_, shared);
  EXPECT_EQ(slot_.account().buffered(), 0U);
}

TEST_F(SharedBackendsTest, ABackendThatAReloadReplacedIsAnotherOne) {
  SharedBackend& before = Join(&one_);
  Add(before, &one_, &of_one_);
  config_.backends[0].users = {::geteuid(), 12345};
  Load();
  backends_.Reload();
  EXPECT_TRUE(of_one_.backend->retired());
  EXPECT_TRUE(before.Carries(of_one_)) << "the call on it continues";
  SharedBackend& after = Join(&one_);
  EXPECT_NE(&after, &before);
  EXPECT_FALSE(after.Carries(of_one_));
  of_one_.backend->Remove(of_one_);
  backends_.Leave(one_, before);
  backends_.Leave(one_, after);
}

}  // namespace
}  // namespace proxyd
