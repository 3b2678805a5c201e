// SPDX-License-Identifier: Apache-2.0
#include "proxy/peer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "peer_harness.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using ttrpc::MessageType;
using ttrpc::StatusCode;

class PeerTest : public test::PeerFixture {};

TEST_F(PeerTest, ARequestIsForwardedAndItsResponseComesBackAsItIs) {
  Listen();
  auto [peer, client] = NewPeer();
  client->Request(7, "/s/M");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  const auto server = Accept();
  RunUntil([&server] { return !server->messages().empty(); });
  EXPECT_EQ(server->messages()[0].header.stream_id, 1U) << "the connection's own numbers";
  const std::string response = "\x12\x03own";
  server->Send({.stream_id = 1, .type = MessageType::kResponse}, response);
  RunUntil([&client = client] { return !client->messages().empty(); });
  EXPECT_EQ(client->messages()[0].header.stream_id, 7U);
  EXPECT_EQ(client->messages()[0].data, response);
  EXPECT_TRUE(peer.calls().empty());
  EXPECT_EQ(calls_of_user(), 0U);
  EXPECT_EQ(counters_.calls, 1U);
  EXPECT_EQ(Ended(StatusCode::kOk), 1U);
}

TEST_F(PeerTest, TheStatusOfAResponseIsCounted) {
  Listen();
  auto [peer, client] = NewPeer();
  client->Request(1, "/s/M");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  const auto server = Accept();
  server->Respond(1, {StatusCode::kNotFound, "no such thing"});
  RunUntilResponses(*client, 1);
  EXPECT_THAT(client->responses(), ElementsAre("1: NOT_FOUND no such thing"));
  EXPECT_EQ(Ended(StatusCode::kNotFound), 1U);
}

TEST_F(PeerTest, WhatNoRuleAllowsReachesNoBackend) {
  Listen();
  auto [peer, client] = NewPeer();
  client->Request(1, "/s/Other");
  RunUntilResponses(*client, 1);
  EXPECT_THAT(client->responses(),
              ElementsAre("1: PERMISSION_DENIED uid 1000 may not call /s/Other"));
  EXPECT_EQ(Accept(), nullptr);
  EXPECT_EQ(counters_.denied, 1U);
}

TEST_F(PeerTest, MessagesThatBelongNowhereAreRefusedOrDropped) {
  auto [peer, client] = NewPeer();
  client->Request(2, "/s/M");
  client->Send({.stream_id = 3, .type = MessageType::kData}, "x");
  client->Send({.stream_id = 5, .type = MessageType::kResponse}, "x");
  client->Request(7, "/s/M", ttrpc::kFlagRemoteOpen);
  RunUntilResponses(*client, 3);
  EXPECT_THAT(client->responses(),
              ElementsAre("2: INVALID_ARGUMENT StreamID must be odd for client initiated streams",
                          "3: INVALID_ARGUMENT StreamID is no longer active",
                          "7: INVALID_ARGUMENT /s/M may not stream"));
  EXPECT_EQ(counters_.of(ProtocolError::kPeerStreamId), 1U);
  EXPECT_EQ(counters_.of(ProtocolError::kPeerData), 1U);
  EXPECT_EQ(counters_.of(ProtocolError::kPeerMessageType), 1U);
  EXPECT_EQ(counters_.refused, 3U);
}

TEST_F(PeerTest, ABackendThatCannotBeReachedIsAnswered) {
  auto [peer, client] = NewPeer();
  client->Request(1, "/s/M");
  RunUntilResponses(*client, 1);
  EXPECT_THAT(client->responses(),
              ElementsAre("1: UNAVAILABLE backend \"back\" cannot be reached"));
  EXPECT_EQ(calls_of_user(), 0U);
}

// The peer's own connection takes no call after one that the backend may still work on.
TEST_F(PeerTest, DataOnAUnaryCallIsAnsweredAndEndsTheConnection) {
  Listen();
  auto [peer, client] = NewPeer();
  client->Request(1, "/s/M");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  const auto server = Accept();
  server->Send({.stream_id = 1, .type = MessageType::kData}, "x");
  RunUntilResponses(*client, 1);
  EXPECT_THAT(client->responses(),
              ElementsAre("1: INTERNAL backend \"back\" sent data on a unary call"));
  EXPECT_EQ(counters_.of(ProtocolError::kBackendData), 1U);
  RunUntil([&server] { return server->closed(); });
  EXPECT_THAT(closed_, IsEmpty());
}

TEST_F(PeerTest, AStreamHasAConnectionOfItsOwn) {
  config_.backends[0].connections = BackendConfig::Connections::kPerUser;
  Load();
  Listen();
  auto [peer, client] = NewPeer();
  client->Request(1, "/s/M");
  client->Request(3, "/s/Stream", ttrpc::kFlagRemoteOpen);
  RunUntil([&peer = peer] { return peer.calls().size() == 2; });
  const auto unary = Accept();
  const auto stream = Accept();
  ASSERT_NE(stream, nullptr);
  client->Send({.stream_id = 3, .type = MessageType::kData}, "there");
  RunUntil([&stream] { return stream->messages().size() == 2; });
  EXPECT_EQ(stream->messages()[1].data, "there");
  stream->Send({.stream_id = 1, .type = MessageType::kData, .flags = ttrpc::kFlagRemoteClosed},
               "back");
  RunUntil([&client = client] { return !client->messages().empty(); });
  EXPECT_EQ(client->messages()[0].header.stream_id, 3U);
  EXPECT_EQ(client->messages()[0].data, "back");
  RunUntil([&stream] { return stream->closed(); });
  EXPECT_EQ(peer.calls().size(), 1U);
  EXPECT_FALSE(unary->closed());
}

TEST_F(PeerTest, PeersOfOneUserShareAConnection) {
  config_.backends[0].connections = BackendConfig::Connections::kPerUser;
  Load();
  Listen();
  auto [first, client] = NewPeer();
  auto [second, other_client] = NewPeer();
  client->Request(1, "/s/M");
  other_client->Request(1, "/s/M");
  RunUntil([&first = first, &second = second] {
    return first.calls().size() == 1 && second.calls().size() == 1;
  });
  const auto server = Accept();
  EXPECT_EQ(Accept(), nullptr);
  RunUntil([&server] { return server->messages().size() == 2; });
  first.Close();
  EXPECT_EQ(calls_of_user(), 2U) << "the backend has not finished it";
  server->Respond(3);
  server->Respond(1);
  RunUntilResponses(*other_client, 1);
  EXPECT_FALSE(server->closed());
  RunUntil([this] { return calls_of_user() == 0; });
}

TEST_F(PeerTest, CloseCancelsItsCallsAndIsNoProtocolError) {
  Listen();
  auto [peer, client] = NewPeer();
  client->Request(1, "/s/M");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  const auto server = Accept();
  EXPECT_EQ(generation_->listener(0)->peers, 1U);
  peer.Close();
  EXPECT_THAT(closed_, ElementsAre(1U));
  EXPECT_EQ(peer.calls().size(), 0U) << "it is still there, for its callbacks";
  EXPECT_EQ(generation_->listener(0)->peers, 0U);
  EXPECT_EQ(Ended(StatusCode::kCancelled), 1U);
  EXPECT_EQ(counters_.of(ProtocolError::kPeerHeader), 0U);
  EXPECT_EQ(calls_of_user(), 0U);
  RunUntil([&server = *server, &client = *client] { return server.closed() && client.closed(); });
  EXPECT_THAT(closed_, ElementsAre(1U)) << "once";
}

TEST_F(PeerTest, ABrokenHeaderClosesIt) {
  auto [client, socket] = test::Socketpair();
  Start(kUser, std::move(socket));
  ASSERT_EQ(::send(client.get(), "\1\0\0\0\0\0\0\1\1\0", 10, 0), 10);
  RunUntil([this] { return !closed_.empty(); });
  EXPECT_EQ(counters_.of(ProtocolError::kPeerHeader), 1U);
}

TEST_F(PeerTest, APeerThatLeavesCancelsItsCalls) {
  Listen();
  auto [peer, client] = NewPeer();
  client->Request(1, "/s/M");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  client->Close();
  RunUntil([this] { return !closed_.empty(); });
  EXPECT_EQ(Ended(StatusCode::kCancelled), 1U);
}

TEST_F(PeerTest, ALostBackendClosesItOnceItHasReadWhatWasSent) {
  Listen();
  auto [peer, client] = NewPeer();
  client->Request(1, "/s/M");
  client->Request(3, "/s/Other");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  Accept()->Close();
  RunUntil([&client = client] { return client->closed(); });
  EXPECT_THAT(client->responses(),
              ElementsAre("3: PERMISSION_DENIED uid 1000 may not call /s/Other"));
  EXPECT_EQ(Ended(StatusCode::kUnavailable), 1U);
  EXPECT_THAT(closed_, ElementsAre(1U));
}

TEST_F(PeerTest, WhileItDrainsNewCallsAreRefusedAndTheLastClosesIt) {
  Listen();
  auto [peer, client] = NewPeer();
  client->Request(1, "/s/M");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  const auto server = Accept();
  draining_ = true;
  peer.Drain();
  client->Request(3, "/s/M");
  RunUntilResponses(*client, 1);
  server->Respond(1);
  RunUntil([&client = client] { return client->closed(); });
  EXPECT_THAT(client->responses(), ElementsAre("3: UNAVAILABLE draining", "1: OK"));
}

TEST_F(PeerTest, TheEndOfTheDrainAnswersWhatIsLeft) {
  Listen();
  auto [peer, client] = NewPeer();
  client->Request(1, "/s/M");
  client->Request(3, "/s/M");
  RunUntil([&peer = peer] { return peer.calls().size() == 2; });
  peer.EndDrain();
  RunUntil([&client = client] { return client->closed(); });
  EXPECT_THAT(client->responses(),
              UnorderedElementsAre("1: UNAVAILABLE draining", "3: UNAVAILABLE draining"));
}

TEST_F(PeerTest, AReloadCountsBeforeItsNextMessage) {
  auto [peer, client] = NewPeer();
  config_.rules[0].methods = {test::Pattern("/s/New")};
  Load();
  client->Request(1, "/s/M");
  RunUntilResponses(*client, 1);
  EXPECT_THAT(client->responses(), ElementsAre("1: PERMISSION_DENIED uid 1000 may not call /s/M"));
}

TEST_F(PeerTest, APeerThatNoRuleAdmitsAnyMoreIsClosed) {
  auto [peer, client] = NewPeer();
  for (RuleConfig& rule : config_.rules) rule.users = test::Ids({kUser + 1});
  Load();
  peer.Reload();
  EXPECT_THAT(closed_, ElementsAre(1U));
  RunUntil([&client = client] { return client->closed(); });
}

TEST_F(PeerTest, AReloadDropsConnectionsThatLeadElsewhereAfterTheirCalls) {
  Listen();
  auto [peer, client] = NewPeer();
  client->Request(1, "/s/M");
  RunUntil([&peer = peer] { return peer.calls().size() == 1; });
  const auto server = Accept();
  config_.backends[0].addresses = {*ttrpc::Address::Parse("unix://" + (folder_ / "gone"))};
  Load();
  peer.Reload();
  client->Request(3, "/s/M");
  RunUntilResponses(*client, 1);
  server->Respond(1);
  RunUntilResponses(*client, 2);
  EXPECT_THAT(client->responses(),
              ElementsAre("3: UNAVAILABLE backend \"back\" cannot be reached", "1: OK"));
  RunUntil([&server] { return server->closed(); });
}

TEST_F(PeerTest, HeldUpItIsNotRead) {
  auto [peer, client] = NewPeer();
  peer.HoldUp(true);
  client->Request(1, "/s/Other");
  for (int i = 0; i < 3; ++i) RunOnce();
  EXPECT_EQ(counters_.denied, 0U);
  peer.HoldUp(false);
  RunUntilResponses(*client, 1);
  EXPECT_EQ(counters_.denied, 1U);
}

TEST_F(PeerTest, TheMemoryThatItHoldsIsItsUsers) {
  size_t grown = 0;
  grew_ = [&grown](Peer& peer) { grown = peer.held(); };
  auto [client, socket] = test::Socketpair();
  Peer& peer = Start(kUser, std::move(socket));
  std::string part(40000, '\0');
  ttrpc::EncodeMessageHeader({.length = 100000, .stream_id = 1}, part.data());
  ASSERT_EQ(::send(client.get(), part.data(), part.size(), 0), 40000);
  RunUntil([&grown] { return grown > 0; });
  EXPECT_EQ(peer.account().buffered(), grown);
  EXPECT_TRUE(peer.stuck_since().has_value());
  peer.CloseForLimit(Limit::kBufferedPerUser);
  EXPECT_EQ(peer.account().buffered(), 0U);
  EXPECT_EQ(counters_.limit_refusals[static_cast<size_t>(Limit::kBufferedPerUser)], 1U);
}

}  // namespace
}  // namespace proxyd
