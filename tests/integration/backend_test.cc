// SPDX-License-Identifier: Apache-2.0
//
// The daemon and its backends: connecting, checking the owner, and losing the connection.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include "harness/proxy_test.h"

namespace integration {
namespace {

const Call kHold = {.method = "Hold"};

class BackendTest : public ProxyTest {
 protected:
  static void ExpectUnreachable(RawPeer& peer, uint32_t id) {
    EXPECT_THAT(peer.Exchange(Echo(id)),
                IsStatus(id, StatusCode::kUnavailable, "backend \"back\" cannot be reached"));
  }
};

TEST_F(BackendTest, SocketThatNobodyListensOnIsUnavailable) {
  Start();
  backend_.reset();
  ttrpc::UniqueFd stale = Bind(back_path());
  RawPeer peer = Peer();
  ExpectUnreachable(peer, 1);
  stale.reset();
  ExpectUnreachable(peer, 3);
  StartBackend();
  ExpectEcho(peer, 5);
}

TEST_F(BackendTest, WrongOwnerIsRefusedAndGetsNothing) {
  Start({.server = {.owner = {.uid = 1234, .gid = 0}}});
  RawPeer peer = Peer();
  ExpectUnreachable(peer, 1);
  EXPECT_EQ(backend_->WaitForEnd(0), std::vector<WireMessage>());
  StartBackend();
  // A wrong owner is not a cheap failure, so the next attempt may be delayed.
  uint32_t id = 3;
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  std::optional<WireMessage> answer;
  do {
    answer = peer.Exchange(Echo(id += 2));
  } while (answer != Response(id, "echo") && std::chrono::steady_clock::now() < deadline);
  EXPECT_EQ(answer, Response(id, "echo"));
}

TEST_F(BackendTest, OwnerThatIsListedIsAccepted) {
  Start({.backend = "users = [\"daemon\", 1234]\n", .server = {.owner = {.uid = 1234, .gid = 0}}});
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
}

TEST_F(BackendTest, RootIsNoOwnerUnlessListed) {
  Start({.backend = "users = [1234]\n"});
  RawPeer peer = Peer();
  ExpectUnreachable(peer, 1);
  EXPECT_EQ(backend_->WaitForEnd(0), std::vector<WireMessage>());
}

TEST_F(BackendTest, AbstractBackend) {
  const std::string name = "ttrpc-proxy-backend-" + std::to_string(::getpid());
  for (const std::string& address : {"unix-abstract:" + name, "unix://@" + name}) {
    RecordingBackend abstract("@" + name);
    Start({.backend = "address = \"" + address + "\"\n"});
    {
      RawPeer peer = Peer();
      ExpectEcho(peer, 1);
      EXPECT_EQ(abstract.WaitForMessages(0, 1), std::vector{Echo(1)});
    }
    TearDown();
  }
}

// Any user may bind an abstract name that is free.
TEST_F(BackendTest, SquattedAbstractNameGetsNothing) {
  const std::string name = "ttrpc-proxy-squatted-" + std::to_string(::getpid());
  RecordingBackend squatter("@" + name, {.owner = {.uid = 1234, .gid = 1234}});
  Start({.backend = "address = \"unix-abstract:" + name + "\"\n"});
  RawPeer peer = Peer();
  ExpectUnreachable(peer, 1);
  EXPECT_EQ(squatter.WaitForEnd(0), std::vector<WireMessage>());
}

// The daemon would forward each call to itself until descriptors run out. The configuration cannot
// show this if the path is another one.
TEST_F(BackendTest, BackendThatIsTheDaemonItselfIsRefused) {
  std::filesystem::create_directory_symlink(folder_.path(), folder_ / "link");
  Start({.backend = "address = \"unix://" + (folder_ / "link/front.sock") + "\"\n"});
  RawPeer peer = Peer();
  ExpectUnreachable(peer, 1);
}

// A backend that has stopped accepting: its queue of connections is full.
class FullBacklogTest : public BackendTest {
 protected:
  void FillBacklog() {
    backend_.reset();
    listener_ = Bind(back_path());
    ASSERT_EQ(::listen(listener_.get(), 0), 0);
    // A backlog of 0 holds one connection.
    waiting_ = Connect(back_path());
    ASSERT_TRUE(waiting_);
  }

  ttrpc::UniqueFd listener_;
  ttrpc::UniqueFd waiting_;
};

TEST_F(FullBacklogTest, ConnectTimeoutIsUnavailable) {
  Start({.backend = "connect_timeout = \"100ms\"\n"});
  FillBacklog();
  RawPeer peer = Peer();
  ExpectUnreachable(peer, 1);
}

TEST_F(FullBacklogTest, PlaceThatBecomesFreeIsTaken) {
  Start({.backend = "connect_timeout = \"20s\"\n"});
  FillBacklog();
  RawPeer peer = Peer();
  RawPeer denied = Peer();
  EXPECT_TRUE(peer.Send(Echo(1)));
  peer.WaitUntilTaken();
  // Only calls to the backend wait for it; a denial does not.
  EXPECT_THAT(denied.Exchange(Request(1, {.service = "test.Other"})),
              IsStatus(1, StatusCode::kPermissionDenied, "uid 0 may not call /test.Other/Do"));
  const ttrpc::UniqueFd first(::accept(listener_.get(), nullptr, nullptr));
  ASSERT_TRUE(WaitUntilReadable(listener_.get()));
  const ttrpc::UniqueFd second(::accept(listener_.get(), nullptr, nullptr));
  bool timed_out = false;
  const std::string expected = Encode(Echo(1));
  EXPECT_EQ(ReadUpTo(second.get(), expected.size(), &timed_out), expected);
  EXPECT_TRUE(SendAll(second.get(), Encode(Response(1, "at last"))));
  EXPECT_EQ(peer.Receive(), Response(1, "at last"));
}

TEST_F(FullBacklogTest, PeerThatGoesMeanwhileLeavesNothingBehind) {
  Start({.backend = "connect_timeout = \"20s\"\n"});
  FillBacklog();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Echo(1)));
  peer.WaitUntilTaken();
  peer.HalfClose();
  peer.ExpectEnd();
  listener_.reset();
  StartBackend();
  RawPeer other = Peer();
  ExpectEcho(other, 1);
  EXPECT_EQ(backend_->connections(), 1U);
}

TEST_F(FullBacklogTest, DeadlineOfTheCallPassesWhileConnecting) {
  Start({.backend = "connect_timeout = \"1h\"\n"});
  FillBacklog();
  RawPeer peer = Peer();
  EXPECT_THAT(peer.Exchange(Request(1, {.timeout_nano = 30'000'000})),
              IsStatus(1, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
}

class DisconnectTest : public BackendTest {};

TEST_F(DisconnectTest, IdleBackendConnectionThatIsLostClosesThePeer) {
  Start({.backend = "on_disconnect = \"close-peers\"\n"});
  RawPeer peer = Peer();
  RawPeer other = Peer();
  ExpectEcho(peer, 1);
  ExpectEcho(other, 1);
  backend_->Close(0);
  peer.ExpectEnd();
  ExpectEcho(other, 3);
}

TEST_F(DisconnectTest, IdleBackendConnectionThatIsLostIsDialledAnew) {
  Start({.backend = "on_disconnect = \"fail-calls\"\n"});
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  backend_->Close(0);
  backend_->WaitForEnd(0);
  // The daemon may read the next request before it notices the loss. That call then fails, too.
  const std::optional<WireMessage> answer = peer.Exchange(Echo(3));
  if (answer != Response(3, "echo")) {
    EXPECT_THAT(answer, IsStatus(3, StatusCode::kUnavailable, "backend \"back\" disconnected"));
  }
  ExpectEcho(peer, 5);
}

TEST_F(DisconnectTest, WhatTheBackendSentIsDeliveredBeforeThePeerIsClosed) {
  constexpr int kMessages = 16;
  const auto flood_and_close = [](const WireMessage&) {
    return BackendReply{.bytes = Encode(std::vector(kMessages, Data(1, std::string(1 << 20, 'x')))),
                        .close = true};
  };
  Start({.backend = "on_disconnect = \"close-peers\"\n", .server = {.script = flood_and_close}});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kHold, kClosed)));
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_EQ(peer.Receive(), Data(1, std::string(1 << 20, 'x')));
  }
  peer.ExpectEnd();
}

TEST_F(DisconnectTest, EachCallInFlightFailsOnce) {
  Start({.backend = "on_disconnect = \"fail-calls\"\n"});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Encode({Request(1, kHold), Request(3, {.service = "test.Stream"}, kOpen),
                                Request(5, kHold, kClosed)})));
  backend_->WaitForMessages(0, 3);
  backend_->Send(0, Encode({Response(5, "in time"), Data(3, "a part")}));
  backend_->Close(0);
  EXPECT_EQ(peer.Receive(), Response(5, "in time"));
  EXPECT_EQ(peer.Receive(), Data(3, "a part"));
  std::vector<uint32_t> failed;
  for (int i = 0; i < 2; ++i) {
    const std::optional<WireMessage> answer = peer.Receive();
    ASSERT_TRUE(answer.has_value());
    failed.push_back(answer->stream_id);
    EXPECT_THAT(answer,
                IsStatus(failed.back(), StatusCode::kUnavailable, "backend \"back\" disconnected"));
  }
  EXPECT_THAT(failed, ::testing::UnorderedElementsAre(1, 3));
  ExpectEcho(peer, 7);
}

TEST_F(DisconnectTest, BackendThatEndsWithUnreadRequestsFailsThem) {
  Start({.backend = "on_disconnect = \"fail-calls\"\n", .server = {.reading = false}});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kHold)));
  EXPECT_TRUE(WaitUntilReadable(backend_->Duplicate(0).get()));
  backend_.reset();
  EXPECT_THAT(peer.Receive(),
              IsStatus(1, StatusCode::kUnavailable, "backend \"back\" disconnected"));
  ExpectUnreachable(peer, 3);
}

TEST_F(DisconnectTest, PeerThatGoesClosesItsBackendConnection) {
  Start();
  {
    RawPeer peer = Peer();
    EXPECT_TRUE(peer.Send(Request(1, kHold)));
    backend_->WaitForMessages(0, 1);
  }
  EXPECT_EQ(backend_->WaitForEnd(0).size(), 1U);
}

TEST_F(DisconnectTest, HalfCloseOfAPeerMeansThatItIsGone) {
  Start();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kHold)));
  backend_->WaitForMessages(0, 1);
  peer.HalfClose();
  EXPECT_EQ(backend_->WaitForEnd(0).size(), 1U);
  peer.ExpectEnd();
}

TEST_F(DisconnectTest, ResetByAPeerClosesItsBackendConnection) {
  Start();
  {
    RawPeer peer = Peer();
    EXPECT_TRUE(peer.Send(Encode({Echo(1), Request(3, kHold)})));
    backend_->WaitForMessages(0, 2);
    EXPECT_TRUE(WaitUntilReadable(peer.fd()));
  }  // closed with an answer that was not read
  EXPECT_EQ(backend_->WaitForEnd(0).size(), 2U);
}

TEST_F(DisconnectTest, LossOfOneBackendClosesThePeersOtherConnections) {
  RecordingBackend other(folder_ / "other.sock");
  Start({.rules = std::string(kDefaultRules) + R"(
[[rule]]
name = "elsewhere"
users = ["root"]
methods = ["/test.Other/*"]
action = "allow"
backend = "other"

[[backend]]
name = "other"
address = "unix://)" +
                  folder_.path() + "/other.sock\"\n"});
  RawPeer peer = Peer();
  const Call elsewhere = {.service = "test.Other", .payload = "x"};
  ExpectEcho(peer, 1);
  EXPECT_EQ(peer.Exchange(Request(3, elsewhere)), Response(3, "x"));
  EXPECT_EQ(other.WaitForMessages(0, 1), std::vector{Request(1, elsewhere)});
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Echo(1)});
  backend_->Close(0);
  peer.ExpectEnd();
  other.WaitForEnd(0);
}

}  // namespace
}  // namespace integration
