// SPDX-License-Identifier: Apache-2.0
//
// Connections to backends count against limits for each user and in all, so that no user takes
// connections that others need.
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "harness/proxy_test.h"

namespace integration {
namespace {

class BackendSlotsTest : public ProxyTest {
 protected:
  void StartWithDescriptors(rlim_t most) {
    daemon_ = std::make_unique<DaemonProcess>(
        std::vector<std::string>{"--config", config_path()},
        DaemonSurroundings{.descriptors = rlimit{.rlim_cur = most, .rlim_max = most}});
    ASSERT_TRUE(daemon_->WaitUntilReady());
  }
};

TEST_F(BackendSlotsTest, OfAUser) {
  StartLimited("backend_connections_per_user = 2\n");
  RawPeer one = Peer(Someone(kAlice));
  RawPeer two = Peer(Someone(kAlice));
  RawPeer three = Peer(Someone(kAlice));
  ExpectEcho(one, 1);
  ExpectEcho(two, 1);
  const std::string limit = "backend_connections_per_user = 2";
  EXPECT_THAT(three.Exchange(Echo(1)), IsOverLimit(1, limit));
  const auto lines = daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("\"event\":\"refuse\"") != std::string::npos;
  });
  EXPECT_THAT(lines.at(0), ::testing::HasSubstr("RESOURCE_EXHAUSTED"));
  RawPeer bob = Peer(Someone(kBob));
  ExpectEcho(bob, 1);
  ExpectEcho(one, 3);
  two.Close();
  ExpectEchoSoon(three, 3);
}

// A hanging call keeps its connection open.
TEST_F(BackendSlotsTest, ARetiredConnectionCountsUntilItIsClosed) {
  StartLimited("backend_connections_per_user = 2\n");
  RawPeer peer = Peer(Someone(kAlice));
  for (const size_t round : {0U, 1U}) {
    const auto id = static_cast<uint32_t>(4 * round + 1);
    EXPECT_TRUE(
        peer.Send(Encode({Request(id, {.method = "Hold"}), Request(id + 2, {.method = "Hold"})})));
    backend_->WaitForMessages(round, 2);
    EXPECT_THAT(peer.Exchange(Data(id + 2, "?")),
                IsStatus(id + 2, StatusCode::kInvalidArgument, "StreamID is no longer active"));
  }
  EXPECT_THAT(peer.Exchange(Echo(9)), IsOverLimit(9, "backend_connections_per_user = 2"));
  EXPECT_TRUE(backend_->Send(0, Response(1, "last")));
  EXPECT_EQ(peer.Receive(), Response(1, "last"));
  ExpectEcho(peer, 11);
  EXPECT_EQ(backend_->connections(), 3U);
}

TEST_F(BackendSlotsTest, OneThatIsBeingDialledCounts) {
  WriteConfig({.head = "[limits]\nbackend_connections_per_user = 1\n",
               .backend = "wait = \"1h\"\n",
               .rules = kOpenRules});
  StartDaemon();
  RawPeer waiting = Peer(Someone(kAlice));
  EXPECT_TRUE(waiting.Send(Echo(1)));
  waiting.WaitUntilTaken();
  RawPeer other = Peer(Someone(kAlice));
  EXPECT_THAT(other.Exchange(Echo(1)), IsOverLimit(1, "backend_connections_per_user = 1"));
  // The connection closes with the last call that waits for it.
  EXPECT_TRUE(waiting.Send(Request(3, {.timeout_nano = 1'000'000})));
  EXPECT_THAT(waiting.Receive(), IsStatus(3, StatusCode::kDeadlineExceeded, ::testing::_));
  EXPECT_THAT(other.Exchange(Echo(3)), IsOverLimit(3, "backend_connections_per_user = 1"));
  StartBackend();
  EXPECT_EQ(waiting.Receive(), Response(1, "echo"));
}

TEST_F(BackendSlotsTest, SharedOnesAndThoseOfStreamsCount) {
  StartLimited("backend_connections_per_user = 2\n", {.backend = "connections = \"per-user\"\n"});
  RawPeer peer = Peer(Someone(kAlice));
  RawPeer sister = Peer(Someone(kAlice));
  ExpectEcho(peer, 1);
  ExpectEcho(sister, 1);
  const Call stream = {.service = "test.Stream", .method = "Hold"};
  EXPECT_TRUE(peer.Send(Request(3, stream, kOpen)));
  backend_->WaitForMessages(1, 1);
  EXPECT_THAT(sister.Exchange(Request(3, stream, kOpen)),
              IsOverLimit(3, "backend_connections_per_user = 2"));
  ExpectEcho(sister, 5);
  EXPECT_TRUE(backend_->Send(1, CloseStream(1)));
  EXPECT_EQ(peer.Receive(), CloseStream(3));
  EXPECT_TRUE(sister.Send(Request(7, stream, kOpen)));
  backend_->WaitForMessages(2, 1);
}

// Backends may use 40 of 128 descriptors, and root has 4 of these. Each stream takes one.
TEST_F(BackendSlotsTest, InAllThereAreAsManyAsTheDescriptorsLeave) {
  WriteConfig({.head = "[limits]\nconnections = 24\nconnections_reserved = 4\n",
               .backend = "connections = \"per-user\"\n",
               .rules = kOpenRules});
  StartBackend();
  StartWithDescriptors(128);
  const Call stream = {.service = "test.Stream", .method = "Hold"};
  size_t opened = 0;
  const auto open = [&](RawPeer& peer, uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i)
      EXPECT_TRUE(peer.Send(Request(first + 2 * i, stream, kOpen)));
    opened += count;
    backend_->WaitForConnections(opened);
  };
  const std::string limit = "backend_connections = 40";
  RawPeer alice = Peer(Someone(kAlice));
  RawPeer bob = Peer(Someone(kBob));
  RawPeer root = Peer();
  open(alice, 1, 20);
  open(bob, 1, 16);
  EXPECT_THAT(alice.Exchange(Request(101, stream, kOpen)), IsOverLimit(101, limit));
  EXPECT_THAT(bob.Exchange(Echo(101)), IsOverLimit(101, limit));
  open(root, 1, 4);
  EXPECT_THAT(root.Exchange(Echo(101)), IsOverLimit(101, limit));
  alice.Close();
  ExpectEchoSoon(bob, 103);
}

// One account opens as many connections to as many backends as it can, and root still gets one.
TEST_F(BackendSlotsTest, AUserWithManyBackendsDoesNotShutRootOut) {
  constexpr int kBackends = 8;
  std::string rules;
  for (int i = 0; i < kBackends; ++i) {
    const std::string name = "b" + std::to_string(i);
    rules += "[[backend]]\nname = \"" + name + "\"\naddress = \"unix://" + back_path() +
             "\"\n[[rule]]\nname = \"" + name + "\"\nusers = [\"*\"]\nmethods = [\"/test." + name +
             "/*\"]\naction = \"allow\"\nbackend = \"" + name + "\"\n";
  }
  WriteConfig(
      {.head = "[limits]\nconnections = 400\nconnections_per_user = 100\n", .rules = rules});
  StartBackend();
  StartWithDescriptors(880);
  std::string requests;
  for (uint32_t i = 0; i < kBackends; ++i) {
    requests += Encode(Request(2 * i + 1, {.service = "test.b" + std::to_string(i)}));
  }
  std::deque<RawPeer> peers;
  for (int i = 0; i < 100; ++i) {
    RawPeer& peer = peers.emplace_back(Peer(Someone(kAlice)));
    EXPECT_TRUE(peer.Send(requests));
    for (int answer = 0; answer < kBackends; ++answer) ASSERT_TRUE(peer.Receive().has_value());
  }
  RawPeer root = Peer();
  for (uint32_t i = 0; i < kBackends; ++i) {
    EXPECT_EQ(root.Exchange(Request(2 * i + 1, {.service = "test.b" + std::to_string(i)})),
              Response(2 * i + 1, ""));
  }
}

}  // namespace
}  // namespace integration
