// SPDX-License-Identifier: Apache-2.0
//
// Peers and backends that do not read. A stall is a write that makes no progress for a while; if
// that is detected too early, a test proves less but does not fail. Meanwhile the daemon holds only
// a bounded amount, others are not affected, nothing is lost, and a blocked write never stops a
// reader.
#include <gtest/gtest.h>

#include <thread>

#include "harness/proxy_test.h"

namespace integration {
namespace {

constexpr std::chrono::milliseconds kStall{300};
constexpr size_t kMessages = 64;
constexpr size_t kMessageSize = 512 << 10;
// This is much more than the sockets' buffers and a queue's high-water mark, and much less than
// all.
constexpr size_t kMostThatIsHeld = 16 << 20;

WireMessage Numbered(uint32_t stream_id, size_t number) {
  return Data(stream_id, std::to_string(number) + std::string(kMessageSize, 'x'));
}

std::string AllNumbered(uint32_t stream_id) {
  std::string bytes;
  for (size_t i = 0; i < kMessages; ++i) bytes += Encode(Numbered(stream_id, i));
  return bytes;
}

// Writes until the socket accepts no more. Returns the rest.
std::string_view FillUp(int fd, std::string_view bytes) {
  size_t sent = 0;
  EXPECT_FALSE(SendAll(fd, bytes, &sent, kStall)) << "the socket accepts everything";
  EXPECT_LT(sent, kMostThatIsHeld);
  return bytes.substr(sent);
}

class BackpressureTest : public ProxyTest {
 protected:
  // If not `backend_reads`, the backend does not read its first connections yet; `other_` uses
  // another one.
  void StartWithPeer(bool backend_reads) {
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
                    other_path() + "\"\n",
           .server = {.script = Silent, .reading = backend_reads}});
    peer_.emplace(Peer());
    EXPECT_TRUE(peer_->Send(Request(1, {.service = "test.Stream", .method = "Hold"}, kOpen)));
    backend_->WaitForConnections(1);
    backend_fd_ = backend_->Duplicate(0);
    if (!backend_reads) {
      EXPECT_TRUE(WaitUntilReadable(backend_fd_.get()));
    }
  }

  void ExpectOthersAreServed() {
    RawPeer peer = Peer();
    for (uint32_t id = 1; id < 100; id += 2) {
      EXPECT_EQ(peer.Exchange(Request(id, {.service = "test.Other", .payload = "x"})),
                Response(id, "x"));
    }
  }

  void ExpectPeerReceivesAll() {
    for (size_t i = 0; i < kMessages; ++i) ASSERT_EQ(peer_->Receive(), Numbered(1, i));
  }

  void ExpectBackendReceivedAll() {
    const std::vector<WireMessage> messages = backend_->WaitForMessages(0, kMessages + 1);
    ASSERT_EQ(messages.size(), kMessages + 1);
    for (size_t i = 0; i < kMessages; ++i) ASSERT_EQ(messages[i + 1], Numbered(1, i));
  }

  std::string other_path() const { return folder_ / "other.sock"; }

  const std::string bytes_ = AllNumbered(1);
  RecordingBackend other_{other_path()};
  std::optional<RawPeer> peer_;
  ttrpc::UniqueFd backend_fd_;  // the backend's end of its first connection

  void TearDown() override {
    backend_fd_.reset();
    peer_.reset();
    ProxyTest::TearDown();
  }
};

TEST_F(BackpressureTest, BackendThatDoesNotRead) {
  StartWithPeer(false);
  const std::string_view rest = FillUp(peer_->fd(), bytes_);
  ExpectOthersAreServed();
  backend_->StartReading();
  EXPECT_TRUE(peer_->Send(rest));
  ExpectBackendReceivedAll();
}

TEST_F(BackpressureTest, PeerThatDoesNotRead) {
  StartWithPeer(true);
  const std::string_view rest = FillUp(backend_fd_.get(), bytes_);
  ExpectOthersAreServed();
  std::thread writer([this, rest] { EXPECT_TRUE(SendAll(backend_fd_.get(), rest)); });
  ExpectPeerReceivesAll();
  writer.join();
}

TEST_F(BackpressureTest, NeitherReadsAndBothGoOnLater) {
  StartWithPeer(false);
  const std::string_view rest_of_peer = FillUp(peer_->fd(), bytes_);
  const std::string_view rest_of_backend = FillUp(backend_fd_.get(), bytes_);
  ExpectOthersAreServed();
  std::thread peer_writer([this, rest_of_peer] { EXPECT_TRUE(peer_->Send(rest_of_peer)); });
  std::thread backend_writer(
      [this, rest_of_backend] { EXPECT_TRUE(SendAll(backend_fd_.get(), rest_of_backend)); });
  ExpectPeerReceivesAll();
  backend_->StartReading();
  ExpectBackendReceivedAll();
  peer_writer.join();
  backend_writer.join();
}

TEST_F(BackpressureTest, PeerStillReceivesWhileItsBackendDoesNotRead) {
  StartWithPeer(false);
  FillUp(peer_->fd(), bytes_);
  std::thread writer([this] { EXPECT_TRUE(SendAll(backend_fd_.get(), bytes_)); });
  ExpectPeerReceivesAll();
  writer.join();
}

TEST_F(BackpressureTest, BackendStillReceivesWhileItsPeerDoesNotRead) {
  StartWithPeer(true);
  FillUp(backend_fd_.get(), bytes_);
  EXPECT_TRUE(peer_->Send(bytes_));
  ExpectBackendReceivedAll();
}

// The proxy's own answers count as well, and they are longer than the messages that cause them.
TEST_F(BackpressureTest, FloodOfRefusedMessagesFromAPeerThatDoesNotRead) {
  constexpr size_t kRefused = 400'000;
  StartWithPeer(true);
  std::string messages;
  for (size_t i = 0; i < kRefused; ++i) messages += Encode(Data(3, ""));
  const std::string answer = Encode(StatusResponse(
      3, static_cast<int32_t>(StatusCode::kInvalidArgument), "StreamID is no longer active"));
  const std::string_view rest = FillUp(peer_->fd(), messages);
  ExpectOthersAreServed();
  std::thread writer([this, rest] { EXPECT_TRUE(peer_->Send(rest)); });
  bool timed_out = false;
  const std::string answers = ReadUpTo(peer_->fd(), kRefused * answer.size(), &timed_out);
  writer.join();
  ASSERT_EQ(answers.size(), kRefused * answer.size());
  for (size_t i = 0; i < kRefused; ++i) {
    ASSERT_EQ(answers.compare(i * answer.size(), answer.size(), answer), 0) << "answer " << i;
  }
}

// When a stalled peer disconnects, everything that was held for it is dropped.
TEST_F(BackpressureTest, StalledPeerThatGoesClosesItsBackendConnection) {
  StartWithPeer(false);
  FillUp(peer_->fd(), bytes_);
  FillUp(backend_fd_.get(), bytes_);
  peer_->Close();
  // The other end has closed once a write fails.
  EXPECT_FALSE(SendAll(backend_fd_.get(), bytes_));
  ExpectOthersAreServed();
}

}  // namespace
}  // namespace integration
