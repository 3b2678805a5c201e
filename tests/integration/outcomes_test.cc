// SPDX-License-Identifier: Apache-2.0
//
// The table "What a client sees" of the contract, with one test for each row, in its order.
#include <gtest/gtest.h>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class OutcomesTest : public ProxyTest {};

TEST_F(OutcomesTest, PeerNotAdmittedIsClosedWithoutAByte) {
  Start();
  RawPeer stranger = Peer({.uid = 4242, .gid = 4242});
  stranger.Send(Echo(1));
  stranger.ExpectEnd();
  RawPeer root = Peer();
  ExpectEcho(root, 1);
  EXPECT_EQ(backend_->connections(), 1U);
}

TEST_F(OutcomesTest, NoAllowRuleMatchesIsPermissionDenied) {
  Start();
  RawPeer peer = Peer();
  EXPECT_THAT(peer.Exchange(Request(5, {.service = "test.Other", .method = "Do"})),
              IsStatus(5, StatusCode::kPermissionDenied, "uid 0 may not call /test.Other/Do"));
  ExpectEcho(peer, 7);
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Echo(1)});
}

TEST_F(OutcomesTest, MalformedEnvelopeIsInvalidArgumentAndQuotesNothing) {
  Start();
  RawPeer peer = Peer();
  const std::string secret = "Xyzzy";
  for (const std::string& envelope : {
           EncodeCall({.payload = secret}) + BytesField(3, secret),       // repeated
           EncodeCall({.payload = secret}) + BytesField(77, secret),      // unknown
           EncodeCall({.payload = secret}) + Tag(5, 2) + "\x20" + secret  // truncated
       }) {
    EXPECT_THAT(peer.Exchange(RawRequest(3, envelope)),
                IsStatus(3, StatusCode::kInvalidArgument,
                         AllOf(StartsWith("unmarshal request error: "), Not(HasSubstr(secret)))));
  }
  ExpectEcho(peer, 5);
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Echo(1)});
}

TEST_F(OutcomesTest, EvenStreamIdIsInvalidArgument) {
  Start();
  RawPeer peer = Peer();
  for (const uint32_t id : {0U, 2U, 0xfffffffeU}) {
    EXPECT_THAT(peer.Exchange(Echo(id)),
                IsStatus(id, StatusCode::kInvalidArgument,
                         "StreamID must be odd for client initiated streams"));
  }
  ExpectEcho(peer, 1);
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Echo(1)});
}

TEST_F(OutcomesTest, StreamIdInUseIsInvalidArgumentAndTheCallGoesOn) {
  Start();
  RawPeer peer = Peer();
  const WireMessage held = Request(9, {.method = "Hold"});
  EXPECT_TRUE(peer.Send(held));
  EXPECT_THAT(peer.Exchange(Echo(9)),
              IsStatus(9, StatusCode::kInvalidArgument, "StreamID cannot be re-used"));
  ExpectEcho(peer, 11);
  backend_->Send(0, Response(1, "late"));
  EXPECT_EQ(peer.Receive(), Response(9, "late"));
  EXPECT_EQ(backend_->WaitForMessages(0, 2),
            (std::vector{Request(1, {.method = "Hold"}), Echo(3)}));
}

TEST_F(OutcomesTest, DataForUnknownOrFinishedStreamIsInvalidArgument) {
  Start();
  RawPeer peer = Peer();
  const auto not_active = [](uint32_t id) {
    return IsStatus(id, StatusCode::kInvalidArgument, "StreamID is no longer active");
  };
  EXPECT_THAT(peer.Exchange(Data(1, "unknown")), not_active(1));
  ExpectEcho(peer, 3);
  EXPECT_THAT(peer.Exchange(Data(3, "finished")), not_active(3));
  EXPECT_THAT(peer.Exchange(CloseStream(3)), not_active(3));
  EXPECT_THAT(peer.Exchange(Data(4, "even")),
              IsStatus(4, StatusCode::kInvalidArgument,
                       "StreamID must be odd for client initiated streams"));
  ExpectEcho(peer, 5);
  EXPECT_EQ(backend_->WaitForMessages(0, 2), (std::vector{Echo(1), Echo(3)}));
}

// A unary request, a request with remote closed, and data with remote closed each close the peer's
// side of a call.
TEST_F(OutcomesTest, DataAfterRemoteClosedIsTheAnswerOfThatCall) {
  const std::vector<std::vector<WireMessage>> openings = {
      {Request(1, {.method = "Hold"})},
      {Request(1, {.method = "Hold"}, kClosed)},
      {Request(1, {.service = "test.Stream", .method = "Hold"}, kOpen), CloseStream(1)},
  };
  Start();
  for (size_t i = 0; i < openings.size(); ++i) {
    RawPeer peer = Peer();
    EXPECT_TRUE(peer.Send(Request(3, {.method = "Hold"})));  // keeps the backend connection open
    EXPECT_TRUE(peer.Send(Encode(openings[i])));
    backend_->WaitForMessages(i, 1 + openings[i].size());
    EXPECT_THAT(peer.Exchange(Data(1, "more")),
                IsStatus(1, StatusCode::kInvalidArgument, "StreamID is no longer active"));
    backend_->Send(i, Encode({Data(3, "dropped"), Response(3, "dropped"), Response(1, "kept")}));
    EXPECT_EQ(peer.Receive(), Response(3, "kept"));
    EXPECT_EQ(backend_->WaitForEnd(i).size(), 1 + openings[i].size()) << "data was forwarded";
  }
}

TEST_F(OutcomesTest, MessageOverTheLimitIsResourceExhausted) {
  Start({.head = "[limits]\nmessage_size = \"64KiB\"\n"});
  RawPeer peer = Peer();
  const std::string text = "message length 65537 exceed maximum message size of 65536";
  const std::string oversized(65537, 'x');
  EXPECT_THAT(peer.Exchange(RawRequest(1, oversized)),
              IsStatus(1, StatusCode::kResourceExhausted, text));
  EXPECT_TRUE(peer.Send(Request(3, {.method = "Hold"})));  // keeps the backend connection open
  EXPECT_TRUE(peer.Send(Request(5, {.service = "test.Stream", .method = "Hold"}, kOpen)));
  EXPECT_TRUE(peer.Send(Data(5, oversized)));
  EXPECT_THAT(peer.Receive(), IsStatus(5, StatusCode::kResourceExhausted, text));
  EXPECT_THAT(peer.Exchange(Data(5, "after its end")),
              IsStatus(5, StatusCode::kInvalidArgument, "StreamID is no longer active"));
  EXPECT_EQ(backend_->WaitForMessages(0, 2).size(), 2U);
  backend_->Send(0, Encode({Response(3, "dropped"), Response(1, "kept")}));
  EXPECT_EQ(peer.Receive(), Response(3, "kept"));
  ExpectEcho(peer, 7);
}

TEST_F(OutcomesTest, FirstHeaderByteNotZeroClosesTheConnection) {
  Start();
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  EXPECT_TRUE(peer.Send(EncodeHeader(16U << 20, 3, kRequest, 0)));
  peer.ExpectEnd();
  EXPECT_EQ(backend_->WaitForEnd(0), std::vector{Echo(1)});
}

TEST_F(OutcomesTest, UnknownTypeAndResponseFromAPeerAreDropped) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  for (const uint8_t type : {uint8_t{0}, kResponse, uint8_t{4}, uint8_t{255}}) {
    EXPECT_TRUE(peer.Send(WireMessage{1, type, kClosed, "x"}));
    EXPECT_TRUE(peer.Send(WireMessage{3, type, 0, ""}));
  }
  ExpectEcho(peer, 5);
  EXPECT_EQ(backend_->WaitForMessages(0, 2),
            (std::vector{Request(1, {.method = "Hold"}), Echo(3)}));
}

// The limit here is message_size. The request exceeds it because of the identity that the proxy
// adds.
TEST_F(OutcomesTest, LimitReachedIsResourceExhausted) {
  Start({.head = "[limits]\nmessage_size = \"1KiB\"\n", .backend = "forward_identity = true\n"});
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  Call call = {.payload = std::string(1000, 'x')};
  call.payload.resize(1024 - (EncodeCall(call).size() - 1000));
  EXPECT_THAT(
      peer.Exchange(Request(3, call)),
      IsStatus(3, StatusCode::kResourceExhausted,
               ::testing::MatchesRegex("message length 1[0-9]+ exceed maximum message size of 1024 "
                                       ".including the identity that forward_identity adds.")));
  ExpectEcho(peer, 5);
  EXPECT_EQ(backend_->WaitForMessages(0, 2).size(), 2U);
}

TEST_F(OutcomesTest, BackendThatCannotBeReachedIsUnavailableAndThePeerStays) {
  Start();
  backend_.reset();
  RawPeer peer = Peer();
  for (const uint32_t id : {1U, 3U}) {
    EXPECT_THAT(peer.Exchange(Echo(id)),
                IsStatus(id, StatusCode::kUnavailable, "backend \"back\" cannot be reached"));
  }
  StartBackend();
  ExpectEcho(peer, 5);
}

TEST_F(OutcomesTest, BackendLostClosesPeersAfterWhatItSent) {
  Start({.backend = "on_disconnect = \"close-peers\"\n"});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  EXPECT_TRUE(peer.Send(Request(3, {.method = "Hold"})));
  backend_->WaitForMessages(0, 2);
  backend_->Send(0, Response(3, "last words"));
  backend_->Close(0);
  EXPECT_EQ(peer.Receive(), Response(3, "last words"));
  peer.ExpectEnd();
}

TEST_F(OutcomesTest, BackendLostFailsCallsAndThePeerStays) {
  Start({.backend = "on_disconnect = \"fail-calls\"\n"});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(0, 1);
  backend_->Close(0);
  EXPECT_THAT(peer.Receive(),
              IsStatus(1, StatusCode::kUnavailable, "backend \"back\" disconnected"));
  ExpectEcho(peer, 3);
  EXPECT_EQ(backend_->WaitForMessages(1, 1), std::vector{Echo(1)});
}

TEST_F(OutcomesTest, BackendMessageOverTheLimitFailsThatCall) {
  Start({.head = "[limits]\nmessage_size = \"64KiB\"\n"});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  EXPECT_TRUE(peer.Send(Request(3, {.method = "Hold"})));
  backend_->WaitForMessages(0, 2);
  backend_->Send(0, WireMessage{1, kResponse, 0, std::string(65537, 'x')});
  EXPECT_THAT(peer.Receive(),
              IsStatus(1, StatusCode::kResourceExhausted,
                       "message length 65537 exceed maximum message size of 65536"));
  ExpectEcho(peer, 5);
  EXPECT_EQ(backend_->WaitForMessages(1, 1), std::vector{Echo(1)}) << "the first is not retired";
  backend_->Send(0, Response(3, "its last call"));
  EXPECT_EQ(peer.Receive(), Response(3, "its last call"));
  backend_->WaitForEnd(0);
  ExpectEcho(peer, 7);
}

TEST_F(OutcomesTest, BackendHeaderByteNotZeroIsUnavailable) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  EXPECT_TRUE(peer.Send(Request(3, {.method = "Hold"})));
  backend_->WaitForMessages(0, 2);
  backend_->Send(0, EncodeHeader(16U << 20, 1, kResponse, 0));
  for (int i = 0; i < 2; ++i) {
    const std::optional<WireMessage> answer = peer.Receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_THAT(answer, IsStatus(answer->stream_id, StatusCode::kUnavailable,
                                 "backend \"back\" violated the protocol"));
  }
  backend_->WaitForEnd(0);
  ExpectEcho(peer, 5);
}

TEST_F(OutcomesTest, BackendDataOnAUnaryCallIsInternal) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  EXPECT_TRUE(peer.Send(Request(3, {.method = "Hold"})));
  backend_->WaitForMessages(0, 2);
  backend_->Send(0, Encode({Data(1, "surprise"), Data(1, "more"), Response(1, "dropped")}));
  EXPECT_THAT(peer.Receive(),
              IsStatus(1, StatusCode::kInternal, "backend \"back\" sent data on a unary call"));
  backend_->Send(0, Response(3, "kept"));
  EXPECT_EQ(peer.Receive(), Response(3, "kept"));
  backend_->WaitForEnd(0);
  ExpectEcho(peer, 5);
}

TEST_F(OutcomesTest, DeadlineThatPassesIsDeadlineExceededAndTheLateReplyDropped) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  EXPECT_THAT(peer.Exchange(Request(3, {.method = "Hold", .timeout_nano = 30'000'000})),
              IsStatus(3, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
  backend_->WaitForMessages(0, 2);
  backend_->Send(0, Encode({Response(3, "late"), Response(1, "in time")}));
  EXPECT_EQ(peer.Receive(), Response(1, "in time"));
  ExpectEcho(peer, 5);
}

TEST_F(OutcomesTest, NewCallWhileDrainingIsUnavailable) {
  Start();
  RawPeer idle = Peer();
  RawPeer busy = Peer();
  ExpectEcho(idle, 1);
  EXPECT_TRUE(busy.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(1, 1);
  daemon_->Signal(SIGTERM);
  idle.ExpectEnd();
  EXPECT_THAT(busy.Exchange(Echo(3)), IsStatus(3, StatusCode::kUnavailable, "draining"));
  backend_->Send(1, Response(1, "finished"));
  EXPECT_EQ(busy.Receive(), Response(1, "finished"));
  busy.ExpectEnd();
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

TEST_F(OutcomesTest, StatusOfTheBackendPassesUnchangedWithPayloadAndDetails) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(0, 1);
  // The texts are not UTF-8; the peer has to judge them.
  const std::string details =
      BytesField(3, BytesField(1, "type.example/\xff") + BytesField(2, "d"));
  const WireMessage answer = {
      1, kResponse, 0,
      BytesField(2, "payload") +
          BytesField(1, VarintField(1, 7) + BytesField(2, "no \xff") + details) +
          BytesField(9, "new")};
  backend_->Send(0, answer);
  EXPECT_EQ(peer.Receive(), answer);
}

TEST_F(OutcomesTest, SecondAnswerAndAnswerToNoCallAreDropped) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  EXPECT_TRUE(peer.Send(Request(3, {.method = "Hold"})));
  backend_->WaitForMessages(0, 2);
  backend_->Send(0, Encode({Response(1, "first"), Response(1, "second"), Response(99, "no call"),
                            Data(2, "no stream"), Response(3, "other")}));
  EXPECT_EQ(peer.Receive(), Response(1, "first"));
  EXPECT_EQ(peer.Receive(), Response(3, "other"));
  ExpectEcho(peer, 5);
}

}  // namespace
}  // namespace integration
