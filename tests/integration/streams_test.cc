// SPDX-License-Identifier: Apache-2.0
//
// Calls of every kind through the daemon: flags, numbers and order, in both directions.
#include <gtest/gtest.h>

#include "harness/proxy_test.h"

namespace integration {
namespace {

const Call kStream = {.service = "test.Stream", .method = "Hold"};
const Call kHold = {.method = "Hold"};

class StreamsTest : public ProxyTest {
 protected:
  // Returns the message with this number, from 0, of the backend's first connection.
  WireMessage Reached(size_t index) const {
    const auto messages = backend_->WaitForMessages(0, index + 1);
    return messages.size() > index ? messages[index] : WireMessage();
  }
  // Makes the daemon itself answer this unary call while the backend works on it.
  void GiveUp(RawPeer& peer, uint32_t id) {
    EXPECT_THAT(peer.Exchange(Data(id, "?")),
                IsStatus(id, StatusCode::kInvalidArgument, "StreamID is no longer active"));
  }
};

TEST_F(StreamsTest, Unary) {
  Start();
  RawPeer peer = Peer();
  EXPECT_EQ(peer.Exchange(Request(1, {.payload = "hello"})), Response(1, "hello"));
  EXPECT_EQ(peer.Exchange(Request(3, Call())), Response(3, ""));
  EXPECT_EQ(Reached(0), Request(1, {.payload = "hello"}));
  EXPECT_EQ(Reached(1), Request(3, Call()));
}

// This needs no rule with streams = true, since the peer sends nothing after its request.
TEST_F(StreamsTest, ServerStreaming) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold", .payload = "p"}, kClosed)));
  EXPECT_EQ(Reached(0), Request(1, {.method = "Hold", .payload = "p"}, kClosed));
  const std::vector<WireMessage> answers = {Data(1, "a"), Data(1, ""), Data(1, "b"),
                                            CloseStream(1)};
  backend_->Send(0, Encode(answers));
  for (const WireMessage& answer : answers) EXPECT_EQ(peer.Receive(), answer);
  ExpectEcho(peer, 3);
}

TEST_F(StreamsTest, ServerStreamingThatEndsWithAnError) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kHold, kClosed)));
  Reached(0);
  backend_->Send(0, Encode({Data(1, "a"), StatusResponse(1, 5, "no more")}));
  EXPECT_EQ(peer.Receive(), Data(1, "a"));
  EXPECT_EQ(peer.Receive(), StatusResponse(1, 5, "no more"));
  ExpectEcho(peer, 3);
}

TEST_F(StreamsTest, ClientStreaming) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(
      peer.Send(Encode({Request(1, kStream, kOpen), Data(1, "a"), Data(1, ""), CloseStream(1)})));
  EXPECT_EQ(backend_->WaitForMessages(0, 4),
            (std::vector{Request(1, kStream, kOpen | kNoData), Data(1, "a"), Data(1, ""),
                         CloseStream(1)}));
  backend_->Send(0, Response(1, "sum"));
  EXPECT_EQ(peer.Receive(), Response(1, "sum"));
  ExpectEcho(peer, 3);
}

TEST_F(StreamsTest, Bidirectional) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kStream, kOpen)));
  for (size_t round = 1; round <= 3; ++round) {
    EXPECT_TRUE(peer.Send(Data(1, "ping")));
    EXPECT_EQ(Reached(round), Data(1, "ping"));
    backend_->Send(0, Data(1, "pong"));
    EXPECT_EQ(peer.Receive(), Data(1, "pong"));
  }
  EXPECT_TRUE(peer.Send(CloseStream(1)));
  EXPECT_EQ(Reached(4), CloseStream(1));
  backend_->Send(0, Encode({Data(1, "after the half close"), CloseStream(1)}));
  EXPECT_EQ(peer.Receive(), Data(1, "after the half close"));
  EXPECT_EQ(peer.Receive(), CloseStream(1));
  ExpectEcho(peer, 3);
}

TEST_F(StreamsTest, ServerEndsBeforeThePeer) {
  Start();
  RawPeer peer = Peer();
  for (const uint32_t id : {1U, 3U}) {
    EXPECT_TRUE(peer.Send(Request(id, kStream, kOpen)));
    Reached(id / 2);
    const WireMessage end = id == 1 ? CloseStream(id) : Response(id, "enough");
    backend_->Send(0, end);
    EXPECT_EQ(peer.Receive(), end);
    EXPECT_THAT(peer.Exchange(Data(id, "too late")),
                IsStatus(id, StatusCode::kInvalidArgument, "StreamID is no longer active"));
  }
  ExpectEcho(peer, 5);
  EXPECT_EQ(Reached(2), Echo(5));
}

// The backend receives an open without a payload in one form, whichever form the peer used. An open
// with a payload is forwarded with it.
TEST_F(StreamsTest, OpenWithAndWithoutPayload) {
  Start();
  RawPeer peer = Peer();
  Call with_payload = kStream;
  with_payload.payload = "first";
  EXPECT_TRUE(peer.Send(Request(1, kStream, kOpen | kNoData)));
  EXPECT_TRUE(peer.Send(Request(3, kStream, kOpen)));
  EXPECT_TRUE(peer.Send(Request(5, with_payload, kOpen)));
  EXPECT_TRUE(peer.Send(Request(7, with_payload, kOpen | kNoData)));
  EXPECT_EQ(backend_->WaitForMessages(0, 4),
            (std::vector{Request(1, kStream, kOpen | kNoData), Request(3, kStream, kOpen | kNoData),
                         Request(5, with_payload, kOpen), Request(7, with_payload, kOpen)}));
}

TEST_F(StreamsTest, LastDataWithRemoteClosedIsSplitForTheBackend) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Encode({Request(1, kStream, kOpen), Data(1, "last", kClosed),
                                Request(3, kStream, kOpen), Data(3, "", kClosed)})));
  EXPECT_EQ(backend_->WaitForMessages(0, 6),
            (std::vector{Request(1, kStream, kOpen | kNoData), Data(1, "last"), CloseStream(1),
                         Request(3, kStream, kOpen | kNoData), Data(3, ""), CloseStream(3)}));
}

TEST_F(StreamsTest, PayloadUnderTheNoDataFlagIsNotForwarded) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(
      Encode({Request(1, kStream, kOpen), Data(1, "not said", kNoData), Data(1, "", kNoData),
              Data(1, "said"), Data(1, "not said", kNoData | kClosed)})));
  EXPECT_EQ(backend_->WaitForMessages(0, 3),
            (std::vector{Request(1, kStream, kOpen | kNoData), Data(1, "said"), CloseStream(1)}));
}

TEST_F(StreamsTest, FlagsOfTheBackendPassAsTheyCame) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(7, kStream, kOpen)));
  Reached(0);
  const std::vector<std::pair<std::string, uint8_t>> answers = {
      {"a", 0x80}, {"", kNoData}, {"b", kNoData}, {"last", kClosed}};
  for (const auto& [payload, flags] : answers) {
    backend_->Send(0, Data(1, payload, flags));
    EXPECT_EQ(peer.Receive(), Data(7, payload, flags));
  }
  EXPECT_THAT(peer.Exchange(Data(7, "x")),
              IsStatus(7, StatusCode::kInvalidArgument, "StreamID is no longer active"));
}

TEST_F(StreamsTest, InterleavedCallsAreRenumberedAndAnsweredOutOfOrder) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(
      Encode({Request(101, kStream, kOpen), Request(33, kHold), Request(7, kStream, kOpen),
              Data(101, "a"), Data(7, "b"), CloseStream(101), Data(7, "c")})));
  EXPECT_EQ(backend_->WaitForMessages(0, 7),
            (std::vector{Request(1, kStream, kOpen | kNoData), Request(3, kHold),
                         Request(5, kStream, kOpen | kNoData), Data(1, "a"), Data(5, "b"),
                         CloseStream(1), Data(5, "c")}));
  backend_->Send(
      0, Encode({Data(5, "x"), Response(3, "y"), Data(1, "z"), CloseStream(5), Response(1, "w")}));
  for (const WireMessage& answer :
       {Data(7, "x"), Response(33, "y"), Data(101, "z"), CloseStream(7), Response(101, "w")}) {
    EXPECT_EQ(peer.Receive(), answer);
  }
}

TEST_F(StreamsTest, EachPeerHasItsOwnBackendConnection) {
  Start();
  RawPeer one = Peer();
  RawPeer other = Peer();
  EXPECT_TRUE(one.Send(Request(9, kHold)));
  backend_->WaitForMessages(0, 1);
  EXPECT_TRUE(other.Send(Request(9, kHold)));
  EXPECT_EQ(backend_->WaitForMessages(1, 1), std::vector{Request(1, kHold)});
  backend_->Send(0, Response(1, "for one"));
  backend_->Send(1, Response(1, "for the other"));
  EXPECT_EQ(one.Receive(), Response(9, "for one"));
  EXPECT_EQ(other.Receive(), Response(9, "for the other"));
}

TEST_F(StreamsTest, ManyCallsInFlight) {
  constexpr uint32_t kCalls = 500;
  Start();
  RawPeer peer = Peer();
  std::string requests;
  std::string answers;
  for (uint32_t i = 0; i < kCalls; ++i) {
    requests += Encode(Request(2 * i + 1, {.method = "Hold", .payload = std::to_string(i)}));
    const uint32_t backwards = kCalls - 1 - i;
    answers += Encode(Response(2 * backwards + 1, std::to_string(backwards)));
  }
  EXPECT_TRUE(peer.Send(requests));
  backend_->WaitForMessages(0, kCalls);
  backend_->Send(0, answers);
  for (uint32_t i = kCalls; i-- > 0;) {
    ASSERT_EQ(peer.Receive(), Response(2 * i + 1, std::to_string(i)));
  }
}

// Go's clients may do that, and its server ignores it.
TEST_F(StreamsTest, AStreamThatIsClosedTwiceGoesOn) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Encode({Request(1, kStream, kOpen), Request(3, kHold, kClosed),
                                CloseStream(1), CloseStream(1), CloseStream(3), Echo(5)})));
  EXPECT_EQ(peer.Receive(), Response(5, "echo"));
  EXPECT_EQ(backend_->WaitForMessages(0, 4),
            (std::vector{Request(1, kStream, kOpen | kNoData), Request(3, kHold, kClosed),
                         CloseStream(1), Echo(5)}));
  backend_->Send(0, Encode({Response(1, "sum"), Data(3, "a"), CloseStream(3)}));
  EXPECT_EQ(peer.Receive(), Response(1, "sum"));
  EXPECT_EQ(peer.Receive(), Data(3, "a"));
  EXPECT_EQ(peer.Receive(), CloseStream(3));
}

// A backend connection on which the daemon answered a call itself finishes its calls and takes no
// new ones.
TEST_F(StreamsTest, RetiredBackendConnectionFinishesItsCallsAndCloses) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kStream, kOpen)));
  EXPECT_TRUE(peer.Send(Request(3, kHold)));
  Reached(1);
  GiveUp(peer, 3);
  ExpectEcho(peer, 5);
  EXPECT_EQ(backend_->WaitForMessages(1, 1), std::vector{Echo(1)});
  EXPECT_TRUE(peer.Send(Data(1, "still open")));
  EXPECT_EQ(Reached(2), Data(1, "still open"));
  backend_->Send(0, CloseStream(1));
  EXPECT_EQ(peer.Receive(), CloseStream(1));
  EXPECT_EQ(backend_->WaitForEnd(0).size(), 3U);
  ExpectEcho(peer, 7);
  EXPECT_EQ(backend_->WaitForMessages(1, 2), (std::vector{Echo(1), Echo(3)}));
  EXPECT_EQ(backend_->connections(), 2U);
}

TEST_F(StreamsTest, RetiredBackendConnectionWithoutCallsClosesAtOnce) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kHold)));
  Reached(0);
  GiveUp(peer, 1);
  EXPECT_EQ(backend_->WaitForEnd(0).size(), 1U);
  ExpectEcho(peer, 3);
}

TEST_F(StreamsTest, RetiredBackendConnectionThatIsLostWithCallsClosesThePeer) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Encode({Request(1, kHold), Request(3, kHold)})));
  Reached(1);
  GiveUp(peer, 3);
  backend_->Close(0);
  peer.ExpectEnd();
}

}  // namespace
}  // namespace integration
