// SPDX-License-Identifier: Apache-2.0
//
// The same as in pressure_plan_test.cc, with real peers: which peers are paused, resumed and
// closed.
#include "proxy/pressure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "peer_harness.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kMessage = 64U << 10;
constexpr uint64_t kPerUser = 256U << 10;
// A user may hold this much above the limit while it is being written.
constexpr uint64_t kSlack = kMessage;

class PressureTest : public test::PeerFixture {
 protected:
  PressureTest() {
    config_.limits.message_size = kMessage;
    config_.limits.buffered_per_user = kPerUser;
    Load();
    pressure_.SetLimits(config_.limits);
    grew_ = [this](Peer& peer) { pressure_.OnGrowth(peer); };
  }
  // Returns a peer that holds a part of a message.
  Peer& Holding(uid_t uid = kUser) {
    auto [client, socket] = test::Socketpair();
    Peer& peer = Start(uid, std::move(socket));
    std::string part(40000, '\0');
    ttrpc::EncodeMessageHeader({.length = kMessage, .stream_id = 1}, part.data());
    EXPECT_EQ(::send(client.get(), part.data(), part.size(), 0), 40000);
    RunUntil([&peer] { return peer.held() > 0; });
    clients_.push_back(std::move(client));
    return peer;
  }
  // Charges memory that the user holds outside its peers.
  void Hold(MemoryCharge* slot, uint64_t bytes) {
    slot->Set(bytes);
    pressure_.OnGrowth(slot->account());
  }
  uint64_t closed_for(Limit limit) const {
    return counters_.limit_refusals[static_cast<size_t>(limit)];
  }

  std::vector<ttrpc::UniqueFd> clients_;
  ConnectionSlot own_ = Connect();
  MemoryCharge besides_ = own_.NewCharge();
  Pressure pressure_{loop_.io(), accounting_, config_.limits, peers_};
};

TEST_F(PressureTest, NothingIsReceivedForAUserWhoHoldsTooMuchUntilItFits) {
  auto [peer, client] = NewPeer();
  auto [other, others_client] = NewPeer(kUser + 1);
  Hold(&besides_, kPerUser + 1);
  client->Request(1, "/s/Other");
  others_client->Request(1, "/s/Other");
  RunUntilResponses(*others_client, 1);
  for (int i = 0; i < 3; ++i) RunOnce();
  EXPECT_THAT(client->responses(), IsEmpty());
  Hold(&besides_, 0);
  RunUntilResponses(*client, 1);
  EXPECT_THAT(closed_, IsEmpty());
}

TEST_F(PressureTest, APeerThatGrowsTooFarIsHeldUp) {
  Hold(&besides_, kPerUser - 1);
  Peer& peer = Holding();
  EXPECT_GT(peer.account().buffered(), kPerUser);
  // The rest of its message arrives, and is not read.
  const std::string rest(kMessage + ttrpc::kMessageHeaderLength - 40000, 'x');
  ASSERT_EQ(::send(clients_[0].get(), rest.data(), rest.size(), 0),
            static_cast<ssize_t>(rest.size()));
  for (int i = 0; i < 3; ++i) RunOnce();
  EXPECT_EQ(counters_.refused, 0U);
  Hold(&besides_, 0);
  RunUntil([this] { return counters_.refused == 1; });
}

// This cannot wait, since all other peers may be about to grow.
TEST_F(PressureTest, FarTooMuchClosesItsPeersAtOnceAndNobodyElses) {
  const uint64_t victim = Holding().identity().id;
  const uint64_t bystander = Holding(kUser + 1).identity().id;
  const Connected idle = NewPeer();
  Hold(&besides_, kPerUser + kSlack + 1);
  EXPECT_THAT(closed_, ElementsAre(victim)) << "closing a peer that holds nothing frees nothing";
  EXPECT_NE(victim, bystander);
  EXPECT_EQ(closed_for(Limit::kBufferedPerUser), 1U);
}

}  // namespace
}  // namespace proxyd
