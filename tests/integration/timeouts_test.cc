// SPDX-License-Identifier: Apache-2.0
//
// [timeouts] of connections: which peers are closed for being slow, and which are not. A test shows
// that something does not happen by another event that does, never by waiting.
#include <gtest/gtest.h>

#include "harness/proxy_test.h"

namespace integration {
namespace {

class TimeoutsTest : public ProxyTest {
 protected:
  void StartWith(const std::string& timeouts, BackendScript script = EchoDo, bool reading = true) {
    Start({.head = "[audit]\ncalls = \"all\"\n[timeouts]\n" + timeouts,
           .server = {.script = std::move(script), .reading = reading}});
  }
  // Returns half a request.
  static std::string Half() { return Encode(Echo(1)).substr(0, kHeaderLength + 3); }
};

TEST_F(TimeoutsTest, WhoSendsNoRequestIsClosed) {
  StartWith("first_request = \"100ms\"\n");
  RawPeer silent = Peer();
  RawPeer served = Peer();
  ExpectEcho(served, 1);
  silent.ExpectEnd();
  ExpectEcho(served, 3);
}

TEST_F(TimeoutsTest, PartOfARequestIsNone) {
  StartWith("first_request = \"100ms\"\npartial_message = \"0\"\n");
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Half()));
  peer.ExpectEnd();
}

TEST_F(TimeoutsTest, AMessageThatIsNotCompletedIsTheEnd) {
  StartWith("partial_message = \"100ms\"\n");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  EXPECT_TRUE(peer.Send(Half()));
  peer.ExpectEnd();
}

// Single bytes that keep coming do not extend the time.
TEST_F(TimeoutsTest, BytesOneByOneDoNotHelp) {
  StartWith("partial_message = \"200ms\"\n");
  RawPeer peer = Peer();
  const std::string bytes = Encode(Request(1, {.payload = std::string(1 << 20, 'x')}));
  size_t sent = 0;
  while (sent < bytes.size() && peer.Send(bytes.substr(sent, 1))) {
    ++sent;
    std::this_thread::yield();
    if (sent % 16 == 0) peer.WaitUntilTaken();
  }
  EXPECT_LT(sent, bytes.size());
}

TEST_F(TimeoutsTest, WhoHasNoCallIsIdle) {
  StartWith("idle = \"150ms\"\n", Silent);
  RawPeer busy = Peer();
  EXPECT_TRUE(busy.Send(Request(1, {})));
  backend_->WaitForMessages(0, 1);
  RawPeer idle = Peer();
  idle.ExpectEnd();  // idle also applies before the first request
  // This peer has a call in flight, so it may wait.
  EXPECT_TRUE(backend_->Send(0, Response(1, "late")));
  EXPECT_EQ(busy.Receive(), Response(1, "late"));
  busy.ExpectEnd();
}

TEST_F(TimeoutsTest, ADeniedRequestIsNoCall) {
  StartWith("idle = \"100ms\"\n");
  RawPeer peer = Peer();
  EXPECT_THAT(peer.Exchange(Request(1, {.service = "other.S"})),
              IsStatus(1, StatusCode::kPermissionDenied, "uid 0 may not call /other.S/Do"));
  peer.ExpectEnd();
}

TEST_F(TimeoutsTest, ListenersHaveTheirOwn) {
  Start({.head = "[timeouts]\nfirst_request = \"100ms\"\n",
         .listener = "first_request = \"0\"\n",
         .rules = std::string(kDefaultRules) +
                  "[[listener]]\nname = \"other\"\naddress = \"unix://" + (folder_ / "other.sock") +
                  "\"\n"});
  RawPeer patient = Peer();
  RawPeer(folder_ / "other.sock").ExpectEnd();
  ExpectEcho(patient, 1);
}

TEST_F(TimeoutsTest, APeerThatTakesNoBytesIsClosed) {
  StartWith("write = \"200ms\"\n", [](const WireMessage& message) -> BackendReply {
    if (message.type != kRequest) return {};
    return {.bytes = Encode(Response(message.stream_id, std::string(1 << 20, 'x')))};
  });
  RawPeer greedy = Peer();
  RawPeer other = Peer();
  for (uint32_t id = 1; id < 40; id += 2) EXPECT_TRUE(greedy.Send(Request(id, {})));
  daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("\"event\":\"disconnect\"") != std::string::npos;
  });
  EXPECT_EQ(other.Exchange(Request(1, {})), Response(1, std::string(1 << 20, 'x')));
}

TEST_F(TimeoutsTest, ABackendThatTakesNoBytesIsGivenUpAndItsCallsAreAnswered) {
  StartWith("write = \"200ms\"\n", EchoDo, false);
  RawPeer peer = Peer();
  const std::string payload(1 << 20, 'x');
  EXPECT_TRUE(peer.Send(Request(1, {.payload = payload})));
  EXPECT_TRUE(peer.Send(Request(3, {.payload = payload})));
  const std::string text = "backend \"back\" has stopped reading";
  EXPECT_THAT(peer.Receive(), IsStatus(1, StatusCode::kUnavailable, text));
  EXPECT_THAT(peer.Receive(), IsStatus(3, StatusCode::kUnavailable, text));
  // The peer stays, and its next call dials again.
  StartBackend();
  ExpectEcho(peer, 5);
}

// The daemon itself does not read the message, since the peer's backend does not read.
TEST_F(TimeoutsTest, AMessageThatWeDoNotReadIsNotLate) {
  Start({.head = "[timeouts]\npartial_message = \"100ms\"\n",
         .server = {.script = Silent, .reading = false}});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.service = "test.Stream"}, kOpen)));
  backend_->WaitForConnections(1);
  // This is more than the buffers hold, so the daemon stops reading within a message.
  constexpr size_t kMessages = 16;
  const std::string data(1 << 20, 'x');
  std::thread writer([&] {
    for (size_t i = 0; i < kMessages; ++i) EXPECT_TRUE(peer.Send(Data(1, data)));
  });
  // The end of this peer shows that the time for a message has passed.
  RawPeer impatient = Peer();
  EXPECT_TRUE(impatient.Send(Half()));
  impatient.ExpectEnd();
  backend_->StartReading();
  writer.join();
  const auto messages = backend_->WaitForMessages(0, 1 + kMessages);
  ASSERT_EQ(messages.size(), 1 + kMessages);
  for (size_t i = 1; i < messages.size(); ++i) EXPECT_EQ(messages[i].data.size(), data.size());
}

TEST_F(TimeoutsTest, ZeroIsNever) {
  StartWith("first_request = \"0\"\npartial_message = \"0\"\nidle = \"0\"\nwrite = \"0\"\n");
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Half()));
  peer.WaitUntilTaken();
  EXPECT_TRUE(peer.Send(Encode(Echo(1)).substr(Half().size())));
  EXPECT_EQ(peer.Receive(), Response(1, "echo"));
}

}  // namespace
}  // namespace integration
