// SPDX-License-Identifier: Apache-2.0
//
// Backends with connections = "per-user": what the peers of one user share, and what they do not.
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using ::testing::HasSubstr;

constexpr Identity kUser = {.uid = 40001, .gid = 40001};
constexpr Identity kOther = {.uid = 40002, .gid = 40002};

const char kRules[] = R"(
[[rule]]
name = "unary"
users = ["40001-40002"]
methods = ["/test.Unary/*"]
action = "allow"
backend = "back"

[[rule]]
name = "streams"
users = ["40001-40002"]
methods = ["/test.Stream/*"]
action = "allow"
backend = "back"
streams = true
)";

class PerUserTest : public ProxyTest {
 protected:
  void StartShared(Scene scene = {}) {
    scene.backend = "connections = \"per-user\"\n" + scene.backend;
    scene.rules = kRules;
    Start(std::move(scene));
  }
  // Returns when the daemon has handled what this user's peers sent before.
  void Hold(RawPeer& peer, uint32_t stream_id, size_t connection, size_t messages) {
    EXPECT_TRUE(peer.Send(Request(stream_id, {.method = "Hold"})));
    backend_->WaitForMessages(connection, messages);
  }
};

TEST_F(PerUserTest, UnaryCallsOfAUsersPeersShareOneConnectionAndAreRenumbered) {
  StartShared();
  RawPeer one = Peer(kUser);
  RawPeer two = Peer(kUser);
  Hold(one, 7, 0, 1);
  Hold(two, 7, 0, 2);
  Hold(one, 9, 0, 3);
  const auto messages = backend_->WaitForMessages(0, 3);
  EXPECT_EQ(messages[0], Request(1, {.method = "Hold"}));
  EXPECT_EQ(messages[1], Request(3, {.method = "Hold"}));
  EXPECT_EQ(messages[2], Request(5, {.method = "Hold"}));
  EXPECT_TRUE(
      backend_->Send(0, Encode({Response(3, "two"), Response(5, "one"), Response(1, "one")})));
  EXPECT_EQ(two.Receive(), Response(7, "two"));
  EXPECT_EQ(one.Receive(), Response(9, "one"));
  EXPECT_EQ(one.Receive(), Response(7, "one"));
  EXPECT_EQ(backend_->connections(), 1U);
}

TEST_F(PerUserTest, NoConnectionIsEverSharedAcrossUsers) {
  StartShared();
  RawPeer one = Peer(kUser);
  RawPeer two = Peer(kOther);
  Hold(one, 1, 0, 1);
  Hold(two, 1, 1, 1);
  EXPECT_TRUE(backend_->Send(1, Response(1, "other's")));
  EXPECT_EQ(two.Receive(), Response(1, "other's"));
  ExpectEcho(one, 3);
  EXPECT_EQ(backend_->connections(), 2U);
}

TEST_F(PerUserTest, ACallThatStreamsGetsAConnectionOfItsOwn) {
  StartShared();
  RawPeer peer = Peer(kUser);
  ExpectEcho(peer, 1);
  EXPECT_TRUE(peer.Send(Request(3, {.service = "test.Stream", .method = "Hold"}, kOpen)));
  EXPECT_TRUE(peer.Send(Request(5, {.service = "test.Stream", .method = "Hold"}, kClosed)));
  EXPECT_EQ(backend_->WaitForMessages(1, 1)[0].stream_id, 1U);
  EXPECT_EQ(backend_->WaitForMessages(2, 1)[0].stream_id, 1U);
  ExpectEcho(peer, 7);
  EXPECT_TRUE(peer.Send(Data(3, "up")));
  EXPECT_EQ(backend_->WaitForMessages(1, 2)[1], Data(1, "up"));
  EXPECT_TRUE(backend_->Send(1, Encode({Data(1, "down"), CloseStream(1)})));
  EXPECT_EQ(peer.Receive(), Data(3, "down"));
  EXPECT_EQ(peer.Receive(), CloseStream(3));
  backend_->WaitForEnd(1);  // a stream's connection closes with its call
  EXPECT_TRUE(backend_->Send(2, CloseStream(1)));
  EXPECT_EQ(peer.Receive(), CloseStream(5));
  backend_->WaitForEnd(2);
  ExpectEcho(peer, 9);
  EXPECT_EQ(backend_->WaitForMessages(0, 3).size(), 3U);
  EXPECT_EQ(backend_->connections(), 3U);
}

TEST_F(PerUserTest, APeerThatLeavesTakesNothingFromItsSisters) {
  StartShared();
  RawPeer leaving = Peer(kUser);
  RawPeer staying = Peer(kUser);
  Hold(leaving, 1, 0, 1);
  Hold(staying, 1, 0, 2);
  leaving.Close();
  ExpectEcho(staying, 3);
  EXPECT_TRUE(backend_->Send(0, Encode({Response(1, "late"), Response(3, "in time")})));
  EXPECT_EQ(staying.Receive(), Response(1, "in time"));
  ExpectEcho(staying, 5);
  staying.Close();
  backend_->WaitForEnd(0);  // the last peer of the user has gone
  RawPeer next = Peer(kUser);
  ExpectEcho(next, 1);
  EXPECT_EQ(backend_->connections(), 2U);
}

// The data that this peer does not read grows until the user's memory is full. Then only this peer
// is closed.
TEST_F(PerUserTest, APeerThatDoesNotReadIsClosedAndNoOther) {
  const std::string large(512 << 10, 'x');
  const auto script = [&large](const WireMessage& message) {
    if (message.data.find("Large") == std::string::npos) return EchoDo(message);
    return BackendReply{.bytes = Encode(Response(message.stream_id, large))};
  };
  StartShared({.head = "[limits]\nbuffered_per_user = \"4MiB\"\n", .server = {.script = script}});
  RawPeer sister = Peer(kUser);
  RawPeer other = Peer(kOther);
  ExpectEcho(sister, 1);
  RawPeer slow = Peer(kUser);
  std::string requests;
  for (uint32_t id = 1; id < 200; id += 2) requests += Encode(Request(id, {.method = "Large"}));
  EXPECT_TRUE(slow.Send(requests));
  const auto closed = [&slow] {
    pollfd entry = {.fd = slow.fd(), .events = POLLRDHUP, .revents = 0};
    return ::poll(&entry, 1, 0) == 1;
  };
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  uint32_t id = 3;
  for (; !closed(); id += 2) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "it is not closed";
    ExpectEcho(other, id);
    const auto reply = sister.Exchange(Echo(id));
    ASSERT_TRUE(reply.has_value()) << "the sister is closed";
    if (*reply == Response(id, "echo")) continue;
    // Meanwhile any new call of the user is refused.
    ASSERT_THAT(reply, IsStatus(id, StatusCode::kResourceExhausted,
                                "limit buffered_per_user = 4MiB reached"));
  }
  ExpectEcho(sister, id);
  EXPECT_EQ(backend_->connections(), 2U);
}

TEST_F(PerUserTest, ADeadlineLeavesTheConnectionToTheOthers) {
  StartShared();
  RawPeer late = Peer(kUser);
  RawPeer sister = Peer(kUser);
  Hold(sister, 1, 0, 1);
  EXPECT_TRUE(late.Send(Request(1, {.method = "Hold", .timeout_nano = 1'000'000})));
  EXPECT_THAT(late.Receive(), IsStatus(1, StatusCode::kDeadlineExceeded, ::testing::_));
  EXPECT_TRUE(backend_->Send(0, Encode({Response(3, "late"), Response(1, "hers")})));
  EXPECT_EQ(sister.Receive(), Response(1, "hers"));
  ExpectEcho(late, 3);
  EXPECT_EQ(backend_->connections(), 1U);
}

TEST_F(PerUserTest, CallsOfALostConnectionFailAndTheNextDialsAgain) {
  StartShared();
  RawPeer one = Peer(kUser);
  RawPeer two = Peer(kUser);
  Hold(one, 1, 0, 1);
  Hold(two, 1, 0, 2);
  backend_->Close(0);
  const auto disconnected = IsStatus(1, StatusCode::kUnavailable, "backend \"back\" disconnected");
  EXPECT_THAT(one.Receive(), disconnected);
  EXPECT_THAT(two.Receive(), disconnected);
  ExpectEcho(one, 3);
  ExpectEcho(two, 3);
  EXPECT_EQ(backend_->connections(), 2U);
}

TEST_F(PerUserTest, WithClosePeersThoseWithCallsOnItAreClosed) {
  StartShared({.backend = "on_disconnect = \"close-peers\"\n"});
  RawPeer busy = Peer(kUser);
  RawPeer idle = Peer(kUser);
  ExpectEcho(idle, 1);
  Hold(busy, 1, 0, 2);
  EXPECT_TRUE(backend_->Send(0, Response(3, "last")));
  EXPECT_EQ(busy.Receive(), Response(1, "last"));
  Hold(busy, 3, 0, 3);
  backend_->Close(0);
  busy.ExpectEnd();
  ExpectEcho(idle, 3);
}

TEST_F(PerUserTest, AnOversizedReplyEndsItsCallAndTheConnectionAfterItsLast) {
  StartShared({.head = "[limits]\nmessage_size = \"1KiB\"\n"});
  RawPeer one = Peer(kUser);
  RawPeer two = Peer(kUser);
  Hold(one, 1, 0, 1);
  Hold(two, 1, 0, 2);
  EXPECT_TRUE(backend_->Send(0, Response(1, std::string(2000, 'x'))));
  EXPECT_THAT(one.Receive(), IsStatus(1, StatusCode::kResourceExhausted, HasSubstr("1024")));
  ExpectEcho(one, 3);  // on a new connection
  EXPECT_EQ(backend_->connections(), 2U);
  EXPECT_TRUE(backend_->Send(0, Response(3, "last")));
  EXPECT_EQ(two.Receive(), Response(1, "last"));
  backend_->WaitForEnd(0);
}

TEST_F(PerUserTest, DataOnAUnaryCallEndsThatCallAlone) {
  StartShared();
  RawPeer one = Peer(kUser);
  RawPeer two = Peer(kUser);
  Hold(one, 1, 0, 1);
  Hold(two, 1, 0, 2);
  EXPECT_TRUE(backend_->Send(0, Encode({Data(1, "?"), Data(1, "!"), Response(3, "fine")})));
  EXPECT_THAT(one.Receive(),
              IsStatus(1, StatusCode::kInternal, "backend \"back\" sent data on a unary call"));
  EXPECT_EQ(two.Receive(), Response(1, "fine"));
  ExpectEcho(one, 3);
  EXPECT_EQ(backend_->connections(), 1U);
}

// Peers that called this backend wait. A peer that calls another backend does not, and nothing is
// lost.
TEST_F(PerUserTest, ABackendThatDoesNotReadHoldsUpItsOwnPeersOnly) {
  RecordingBackend elsewhere(folder_ / "elsewhere.sock");
  WriteConfig({.backend = "connections = \"per-user\"\n",
               .rules = std::string(kRules) +
                        "[[rule]]\nname = \"elsewhere\"\nusers = [40001]\nmethods = "
                        "[\"/test.Other/*\"]\naction = \"allow\"\nbackend = \"elsewhere\"\n"
                        "[[backend]]\nname = \"elsewhere\"\nconnections = \"per-user\"\n"
                        "address = \"unix://" +
                        (folder_ / "elsewhere.sock") + "\"\n"});
  StartBackend({.reading = false});
  StartDaemon();
  RawPeer peer = Peer(kUser);
  RawPeer sister = Peer(kUser);
  constexpr uint32_t kCalls = 64;
  const std::string payload(512 << 10, 'x');
  std::string requests;
  for (uint32_t i = 0; i < kCalls; ++i)
    requests += Encode(Request(2 * i + 1, {.method = "Do", .payload = payload}));
  size_t sent = 0;
  // A stall is a lack of progress for a while. If it is detected too early, the test proves less
  // but does not fail.
  EXPECT_FALSE(SendAll(peer.fd(), requests, &sent, std::chrono::milliseconds(300)));
  EXPECT_LT(sent, size_t{16} << 20);
  for (uint32_t id = 1; id < 20; id += 2) {
    EXPECT_EQ(sister.Exchange(Request(id, {.service = "test.Other", .payload = "x"})),
              Response(id, "x"));
  }
  backend_->StartReading();
  std::thread writer([&] { EXPECT_TRUE(peer.Send(std::string_view(requests).substr(sent))); });
  for (uint32_t i = 0; i < kCalls; ++i)
    EXPECT_EQ(peer.Receive(), Response(2 * i + 1, payload)) << "call " << i;
  writer.join();
  EXPECT_EQ(backend_->connections(), 1U);
}

TEST_F(PerUserTest, ABackendThatIsReplacedByAReloadTakesNoMoreCalls) {
  StartShared();
  RecordingBackend elsewhere(folder_ / "elsewhere.sock");
  RawPeer one = Peer(kUser);
  RawPeer two = Peer(kUser);
  Hold(one, 1, 0, 1);
  ExpectEcho(two, 1);
  WriteConfig({.backend = "connections = \"per-user\"\naddress = \"unix://" +
                          (folder_ / "elsewhere.sock") + "\"\n",
               .rules = kRules});
  daemon_->Signal(SIGHUP);
  daemon_->WaitForLines(
      1, [](const std::string& line) { return line.find("reloaded: ") != std::string::npos; });
  ExpectEcho(two, 3);
  EXPECT_EQ(elsewhere.connections(), 1U);
  EXPECT_TRUE(backend_->Send(0, Response(1, "last")));
  EXPECT_EQ(one.Receive(), Response(1, "last"));
  backend_->WaitForEnd(0);
  ExpectEcho(one, 3);
  EXPECT_EQ(elsewhere.connections(), 1U);
}

}  // namespace
}  // namespace integration
