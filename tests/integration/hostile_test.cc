// SPDX-License-Identifier: Apache-2.0
//
// Bytes that no honest peer sends. In each test the backend's record is the proof: it contains what
// should have arrived, complete and once, and nothing else.
#include <gtest/gtest.h>

#include "harness/proxy_test.h"

namespace integration {
namespace {

constexpr uint32_t kFourMiB = 4U << 20;

// Returns two calls with all types of messages. They reach the backend unchanged: the ids begin at
// 1 and the envelopes are canonical.
std::vector<WireMessage> Conversation() {
  return {Request(1, {.payload = "echo", .metadata = {{"key", "value"}}}),
          Request(3, {.service = "test.Stream", .method = "Hold", .payload = "open"}, kOpen),
          Data(3, "some data"), CloseStream(3)};
}

std::vector<WireMessage> AnswersOn(uint32_t id) {
  return {Data(id, "one"), Data(id, ""), CloseStream(id)};
}

std::vector<WireMessage> FirstOf(const std::vector<WireMessage>& messages, size_t count) {
  return {messages.begin(), messages.begin() + static_cast<ptrdiff_t>(count)};
}

class HostileTest : public ProxyTest {
 protected:
  // Expects that the peer's connection works, and that the backend received only `before` on it.
  void ExpectOnlyThisReachedTheBackend(RawPeer& peer, std::vector<WireMessage> before) {
    ExpectEcho(peer, 1001);
    const auto reached = backend_->WaitForMessages(0, before.size() + 1);
    const auto id = static_cast<uint32_t>(2 * calls_of(before) + 1);
    before.push_back(Echo(id));
    EXPECT_EQ(reached, before);
    EXPECT_EQ(backend_->connections(), 1U);
  }

 private:
  static size_t calls_of(const std::vector<WireMessage>& messages) {
    size_t count = 0;
    for (const WireMessage& message : messages) count += message.type == kRequest ? 1 : 0;
    return count;
  }
};

TEST_F(HostileTest, PeerMessagesSplitAtEveryOffset) {
  Start();
  const std::string bytes = Encode(Conversation());
  for (size_t offset = 1; offset < bytes.size(); ++offset) {
    SCOPED_TRACE(offset);
    RawPeer peer = Peer();
    EXPECT_TRUE(peer.Send(bytes.substr(0, offset)));
    peer.WaitUntilTaken();
    EXPECT_TRUE(peer.Send(bytes.substr(offset)));
    EXPECT_EQ(peer.Receive(), Response(1, "echo"));
    const size_t connection = offset - 1;
    EXPECT_EQ(backend_->WaitForMessages(connection, 4), Conversation());
    backend_->Send(connection, Response(3, "done"));
    EXPECT_EQ(peer.Receive(), Response(3, "done"));
  }
}

TEST_F(HostileTest, PeerBytesOneByOne) {
  Start();
  RawPeer peer = Peer();
  for (const char byte : Encode(Conversation())) {
    EXPECT_TRUE(peer.Send(std::string(1, byte)));
    peer.WaitUntilTaken();
  }
  EXPECT_EQ(backend_->WaitForMessages(0, 4), Conversation());
}

TEST_F(HostileTest, BackendMessagesSplitAtEveryOffset) {
  Start();
  RawPeer peer = Peer();
  const size_t size = Encode(AnswersOn(1)).size();
  for (size_t offset = 1; offset < size; ++offset) {
    SCOPED_TRACE(offset);
    EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"}, kClosed)));
    backend_->WaitForMessages(0, offset);
    // The daemon numbers its streams upwards from 1, independently of the peer's ids.
    const auto id = static_cast<uint32_t>(2 * offset - 1);
    const std::string bytes = Encode(AnswersOn(id));
    EXPECT_TRUE(backend_->Send(0, bytes.substr(0, offset)));
    WaitUntilTaken(backend_->Duplicate(0).get());
    EXPECT_TRUE(backend_->Send(0, bytes.substr(offset)));
    for (const WireMessage& answer : AnswersOn(1)) EXPECT_EQ(peer.Receive(), answer);
  }
}

TEST_F(HostileTest, PeerMessagesCutAtEveryLength) {
  Start();
  const std::vector<WireMessage> messages = Conversation();
  const std::string bytes = Encode(messages);
  size_t whole = 1;  // complete messages in the first part; the first one is sent before it
  size_t edge = Encode(FirstOf(messages, 1)).size();
  const size_t first = edge;
  size_t next_edge = edge + Encode(messages[1]).size();
  for (size_t length = first; length < bytes.size(); ++length) {
    SCOPED_TRACE(length);
    if (length == next_edge) next_edge += Encode(messages[++whole]).size();
    RawPeer peer = Peer();
    EXPECT_TRUE(peer.Send(bytes.substr(0, first)));
    EXPECT_EQ(peer.Receive(), Response(1, "echo"));
    EXPECT_TRUE(peer.Send(bytes.substr(first, length - first)));
    peer.WaitUntilTaken();
    backend_->WaitForMessages(length - first, whole);
    peer.Close();
    EXPECT_EQ(backend_->WaitForEnd(length - first), FirstOf(messages, whole));
  }
}

// The daemon must not even dial for a connection that never completes its first request.
TEST_F(HostileTest, FirstRequestCutAtEveryLengthDialsNobody) {
  Start();
  const std::string bytes = Encode(Echo(1));
  for (size_t length = 0; length < bytes.size(); ++length) {
    RawPeer peer = Peer();
    EXPECT_TRUE(peer.Send(bytes.substr(0, length)));
    peer.WaitUntilTaken();
    peer.HalfClose();
    peer.ExpectEnd();
  }
  RawPeer peer = Peer();
  ExpectOnlyThisReachedTheBackend(peer, {});
}

TEST_F(HostileTest, BackendMessagesCutAtEveryLengthGiveThePeerNothingPartial) {
  Start();
  const WireMessage answer = Response(1, "a payload");
  const std::string bytes = Encode(answer);
  for (size_t length = 0; length <= bytes.size(); ++length) {
    SCOPED_TRACE(length);
    RawPeer peer = Peer();
    EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
    backend_->WaitForMessages(length, 1);
    EXPECT_TRUE(backend_->Send(length, bytes.substr(0, length)));
    backend_->Close(length);
    if (length == bytes.size()) {
      EXPECT_EQ(peer.Receive(), answer);
    }
    peer.ExpectEnd();
  }
}

TEST_F(HostileTest, DescendingAndRepeatedOddIdsAreRenumberedUpwards) {
  Start();
  RawPeer peer = Peer();
  std::vector<WireMessage> reached;
  uint32_t backend_id = 1;
  for (const uint32_t id : {0xffffffffU, 9U, 7U, 7U, 1U, 9U}) {
    ExpectEcho(peer, id);
    reached.push_back(Echo(backend_id));
    backend_id += 2;
  }
  ExpectOnlyThisReachedTheBackend(peer, reached);
}

TEST_F(HostileTest, StreamUnderARuleThatDoesNotAllowItIsNotForwarded) {
  Start();
  RawPeer peer = Peer();
  for (const uint8_t flags : {kOpen, static_cast<uint8_t>(kOpen | kNoData)}) {
    EXPECT_THAT(peer.Exchange(Request(1, Call(), flags)),
                IsStatus(1, StatusCode::kInvalidArgument, "/test.Unary/Do may not stream"));
    EXPECT_THAT(peer.Exchange(Data(1, "its data")),
                IsStatus(1, StatusCode::kInvalidArgument, "StreamID is no longer active"));
  }
  ExpectOnlyThisReachedTheBackend(peer, {});
}

TEST_F(HostileTest, RemoteClosedWithRemoteOpenIsNotForwarded) {
  Start();
  RawPeer peer = Peer();
  const std::string text = "remote closed and remote open cannot be combined";
  EXPECT_THAT(peer.Exchange(Request(1, {.service = "test.Stream"}, kClosed | kOpen)),
              IsStatus(1, StatusCode::kInvalidArgument, text));
  EXPECT_THAT(peer.Exchange(Request(3, Call(), kClosed | kOpen | kNoData)),
              IsStatus(3, StatusCode::kInvalidArgument, text));
  ExpectOnlyThisReachedTheBackend(peer, {});
}

TEST_F(HostileTest, UnknownFlagBitsAreCleared) {
  Start();
  RawPeer peer = Peer();
  const Call hold = {.service = "test.Stream", .method = "Hold", .payload = "p"};
  EXPECT_EQ(peer.Exchange(Request(1, {.payload = "echo"}, 0xf8)), Response(1, "echo"));
  EXPECT_EQ(peer.Exchange(Request(3, {.payload = "echo"}, kNoData)), Response(3, "echo"));
  EXPECT_TRUE(peer.Send(Request(5, hold, 0xf8 | kOpen)));
  EXPECT_TRUE(peer.Send(Data(5, "x", 0xf8)));
  EXPECT_TRUE(peer.Send(Data(5, "", 0xf8 | kClosed | kNoData)));
  ExpectOnlyThisReachedTheBackend(
      peer, {Echo(1), Echo(3), Request(5, hold, kOpen), Data(5, "x"), CloseStream(5)});
}

TEST_F(HostileTest, FourMiBExactlyPassesBothWays) {
  Start();
  RawPeer peer = Peer();
  Call call = {.payload = std::string(kFourMiB - 64, 'p')};
  call.payload.resize(call.payload.size() + kFourMiB - EncodeCall(call).size());
  const WireMessage request = Request(1, call);
  ASSERT_EQ(request.data.size(), kFourMiB);
  // The echo of a payload is shorter than the request, which also has the names.
  EXPECT_EQ(peer.Exchange(request), Response(1, call.payload));
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{request});
  EXPECT_TRUE(peer.Send(Request(3, {.service = "test.Stream", .method = "Hold"}, kOpen)));
  const WireMessage data = Data(3, std::string(kFourMiB, 'd'));
  EXPECT_TRUE(peer.Send(data));
  EXPECT_EQ(backend_->WaitForMessages(0, 3)[2], data);
  EXPECT_TRUE(backend_->Send(0, data));
  EXPECT_EQ(peer.Receive(), data);
}

// The proxy never leaves out the identity to make room.
TEST_F(HostileTest, FourMiBExactlyWithForwardIdentityIsResourceExhausted) {
  Start({.backend = "forward_identity = true\n"});
  RawPeer peer = Peer();
  Call call = {.payload = std::string(kFourMiB - 64, 'p')};
  call.payload.resize(call.payload.size() + kFourMiB - EncodeCall(call).size());
  const WireMessage request = Request(1, call);
  ASSERT_EQ(request.data.size(), kFourMiB);
  const size_t length = kFourMiB + MetadataField("ttrpc-proxy-uid", "0").size() +
                        MetadataField("ttrpc-proxy-gid", "0").size() +
                        MetadataField("ttrpc-proxy-pid", std::to_string(::getpid())).size();
  EXPECT_THAT(peer.Exchange(request),
              IsStatus(1, StatusCode::kResourceExhausted,
                       "message length " + std::to_string(length) +
                           " exceed maximum message size of 4194304 (including "
                           "the identity that forward_identity adds)"));
  ExpectEcho(peer, 3);
  EXPECT_EQ(backend_->WaitForMessages(0, 1).size(), 1U);
}

TEST_F(HostileTest, FourMiBAndOneByteIsDiscardedAndTheConnectionStays) {
  Start();
  RawPeer peer = Peer();
  const std::string text = "message length 4194305 exceed maximum message size of 4194304";
  EXPECT_THAT(peer.Exchange(RawRequest(1, std::string(kFourMiB + 1, 'x'))),
              IsStatus(1, StatusCode::kResourceExhausted, text));
  // The data consists of messages. If the proxy lost its position, it would forward them.
  std::string calls;
  while (calls.size() < kFourMiB + 1) calls += Encode(Request(3, Call()));
  calls.resize(kFourMiB + 1);
  EXPECT_THAT(peer.Exchange(RawRequest(5, calls)),
              IsStatus(5, StatusCode::kResourceExhausted, text));
  EXPECT_THAT(peer.Exchange(Data(7, std::string(kFourMiB + 1, 'x'))),
              IsStatus(7, StatusCode::kResourceExhausted, text));
  ExpectOnlyThisReachedTheBackend(peer, {});
}

TEST_F(HostileTest, LargestHeaderThatCanBeFollowedIsDiscarded) {
  Start();
  RawPeer peer = Peer();
  EXPECT_THAT(peer.Exchange(RawRequest(1, std::string((16U << 20) - 1, 'x'))),
              IsStatus(1, StatusCode::kResourceExhausted,
                       "message length 16777215 exceed maximum message size of 4194304"));
  ExpectOnlyThisReachedTheBackend(peer, {});
}

TEST_F(HostileTest, SixteenMiBHeaderClosesTheConnection) {
  Start();
  for (const uint32_t length : {16U << 20, 0xffffffffU}) {
    RawPeer peer = Peer();
    EXPECT_TRUE(peer.Send(EncodeHeader(length, 1, kRequest, 0)));
    peer.ExpectEnd();
  }
  RawPeer peer = Peer();
  ExpectOnlyThisReachedTheBackend(peer, {});
}

TEST_F(HostileTest, OversizedMessageOfAnotherTypeIsDropped) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(WireMessage{1, kResponse, 0, std::string(kFourMiB + 1, 'x')}));
  EXPECT_TRUE(peer.Send(WireMessage{1, 200, 0, std::string(kFourMiB + 1, 'x')}));
  ExpectOnlyThisReachedTheBackend(peer, {});
}

TEST_F(HostileTest, NamesOutsideTheirAlphabetAreInvalidArgument) {
  Start({.rules = R"(
[[rule]]
name = "all"
users = ["root"]
methods = ["/*/*"]
action = "allow"
backend = "back"
)"});
  RawPeer peer = Peer();
  const std::string too_long(257, 'a');
  for (const std::string& service :
       {std::string(), std::string("a/b"), std::string("a b"), std::string("a-b"),
        std::string("a\0b", 3), std::string("\xc3\xa9"), std::string("a\nb"), too_long}) {
    EXPECT_THAT(peer.Exchange(Request(1, {.service = service})),
                IsStatus(1, StatusCode::kInvalidArgument, "invalid service name"));
  }
  for (const std::string& method :
       {std::string(), std::string("a/b"), std::string("a.b"), std::string("*"),
        std::string("a\0b", 3), std::string("\xc3\xa9"), too_long}) {
    EXPECT_THAT(peer.Exchange(Request(1, {.method = method})),
                IsStatus(1, StatusCode::kInvalidArgument, "invalid method name"));
  }
  const Call longest = {.service = std::string(256, 's'), .method = std::string(256, 'm')};
  EXPECT_TRUE(peer.Send(Request(3, longest)));
  ExpectOnlyThisReachedTheBackend(peer, {Request(1, longest)});
}

// The order of the checks is: id, envelope, names, metadata, flags, policy, streams, draining. Each
// request here fails two checks that follow each other.
TEST_F(HostileTest, FirstFailedCheckAnswers) {
  Start({.rules = std::string(kDefaultRules) + R"(
[[rule]]
name = "guards a key"
users = ["root"]
methods = ["/test.Guarded/*"]
metadata = { "guarded" = "x" }
action = "allow"
backend = "back"
)"});
  RawPeer peer = Peer();
  const auto answers = [&peer](const WireMessage& request, StatusCode code, auto text) {
    EXPECT_THAT(peer.Exchange(request), IsStatus(request.stream_id, code, text));
  };
  const Metadata twice = {{"guarded", "x"}, {"guarded", "x"}};
  const auto invalid = StatusCode::kInvalidArgument;
  answers(RawRequest(2, "\xff"), invalid, "StreamID must be odd for client initiated streams");
  answers(RawRequest(1, BytesField(1, "a b") + BytesField(9, "x")), invalid,
          ::testing::StartsWith("unmarshal request error: "));
  answers(Request(1, {.service = "a b", .metadata = twice}), invalid, "invalid service name");
  answers(Request(1, {.metadata = twice}, kOpen | kClosed), invalid,
          "metadata guarded must appear once and in lower case");
  answers(Request(1, {.service = "test.Other"}, kOpen | kClosed), invalid,
          "remote closed and remote open cannot be combined");
  answers(Request(1, {.service = "test.Other"}, kOpen), StatusCode::kPermissionDenied,
          "uid 0 may not call /test.Other/Do");
  RawPeer idle = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(0, 1);
  daemon_->Signal(SIGTERM);
  idle.ExpectEnd();
  answers(Request(3, Call(), kOpen), invalid, "/test.Unary/Do may not stream");
  answers(Request(3, {.service = "test.Other"}), StatusCode::kPermissionDenied,
          "uid 0 may not call /test.Other/Do");
  backend_->Send(0, Response(1, ""));
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

}  // namespace
}  // namespace integration
