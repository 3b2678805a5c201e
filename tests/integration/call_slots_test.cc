// SPDX-License-Identifier: Apache-2.0
//
// [limits] calls_per_user bounds the work at the backend: a call keeps its slot after the daemon
// has answered it itself, and after its peer has gone.
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "harness/proxy_test.h"

namespace integration {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

class CallSlotsTest : public ProxyTest {
 protected:
  // The deadline of the call passes before the backend answers it.
  static void Expire(RawPeer& peer, uint32_t id) {
    EXPECT_THAT(peer.Exchange(Request(id, {.method = "Hold", .timeout_nano = kMillisecond})),
                IsStatus(id, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
  }
};

// The daemon answers each call at its deadline. The handlers at the backend continue, so that only
// 64 calls get there.
TEST_F(CallSlotsTest, HandlersThatIgnoreTheirDeadlinesAreNoMoreThanTheLimit) {
  StartLimited("calls_per_user = 64\n");
  RawPeer peer = Peer(Someone(kAlice));
  constexpr uint32_t kCalls = 2000;
  std::string requests;
  for (uint32_t i = 0; i < kCalls; ++i)
    requests += Encode(Request(2 * i + 1, {.method = "Hold", .timeout_nano = kMillisecond}));
  size_t refused = 0;
  for (size_t sent = 0; sent < requests.size();) {
    const size_t part = std::min(requests.size() - sent, requests.size() / 20);
    ASSERT_TRUE(peer.Send(std::string_view(requests).substr(sent, part)));
    sent += part;
    // All of these are answered before the next are sent.
    for (uint32_t i = 0; i < kCalls / 20; ++i) {
      const auto answer = peer.Receive();
      ASSERT_TRUE(answer.has_value());
      refused += answer->data.find("limit calls_per_user = 64 reached") != std::string::npos;
    }
  }
  EXPECT_EQ(refused, kCalls - 64);
  EXPECT_EQ(backend_->WaitForMessages(0, 64).size(), 64U);
  // Other users have slots of their own.
  RawPeer other = Peer(Someone(kBob));
  ExpectEcho(other, 1);
}

TEST_F(CallSlotsTest, ALateReplyGivesTheSlotBack) {
  StartLimited("calls_per_user = 2\n");
  RawPeer peer = Peer(Someone(kAlice));
  Expire(peer, 1);
  Expire(peer, 3);
  EXPECT_THAT(peer.Exchange(Echo(5)), IsOverLimit(5, "calls_per_user = 2"));
  backend_->WaitForMessages(0, 2);
  EXPECT_TRUE(backend_->Send(0, Encode({Data(1, "not the last"), Response(3, "late")})));
  ExpectEchoSoon(peer, 7);
  EXPECT_TRUE(peer.Send(Request(10001, {.method = "Hold"})));
  EXPECT_THAT(peer.Exchange(Echo(10003)), IsOverLimit(10003, "calls_per_user = 2"));
}

// The limit counts only calls that the peer itself waits for.
TEST_F(CallSlotsTest, CallsPerConnectionAreThoseThatThePeerHas) {
  StartLimited("calls_per_connection = 1\n");
  RawPeer peer = Peer(Someone(kAlice));
  Expire(peer, 1);
  Expire(peer, 3);
  ExpectEcho(peer, 5);
  EXPECT_EQ(backend_->connections(), 1U);
}

TEST_F(CallSlotsTest, AnAnswerOfOursThatRetiresTheConnectionGivesItBackWithItsEnd) {
  StartLimited("calls_per_user = 3\n");
  RawPeer peer = Peer(Someone(kAlice));
  RawPeer second = Peer(Someone(kAlice));
  EXPECT_TRUE(peer.Send(Encode({Request(1, {.method = "Hold"}), Request(3, {.method = "Hold"})})));
  backend_->WaitForMessages(0, 2);
  EXPECT_THAT(peer.Exchange(Data(3, "?")),
              IsStatus(3, StatusCode::kInvalidArgument, "StreamID is no longer active"));
  ExpectEcho(second, 1);
  EXPECT_TRUE(second.Send(Request(3, {.method = "Hold"})));
  EXPECT_THAT(second.Exchange(Echo(5)), IsOverLimit(5, "calls_per_user = 3"));
  EXPECT_TRUE(backend_->Send(0, Response(1, "last")));
  EXPECT_EQ(peer.Receive(), Response(1, "last"));
  backend_->WaitForEnd(0);
  ExpectEcho(second, 7);
}

TEST_F(CallSlotsTest, OfASharedConnectionAPeerThatLeavesKeepsItsSlots) {
  StartLimited("calls_per_user = 2\n", {.backend = "connections = \"per-user\"\n"});
  RawPeer leaving = Peer(Someone(kAlice));
  RawPeer staying = Peer(Someone(kAlice));
  ExpectEcho(staying, 1);
  EXPECT_TRUE(
      leaving.Send(Encode({Request(1, {.method = "Hold"}), Request(3, {.method = "Hold"})})));
  backend_->WaitForMessages(0, 3);
  leaving.HalfClose();
  leaving.ExpectEnd();
  EXPECT_THAT(staying.Exchange(Echo(3)), IsOverLimit(3, "calls_per_user = 2"));
  EXPECT_TRUE(backend_->Send(0, Response(3, "late")));
  ExpectEchoSoon(staying, 5);
  EXPECT_EQ(backend_->connections(), 1U);
  // The last call closes the connection, which frees the slots.
  staying.HalfClose();
  staying.ExpectEnd();
  backend_->WaitForEnd(0);
  RawPeer next = Peer(Someone(kAlice));
  EXPECT_TRUE(next.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(1, 1);
  ExpectEcho(next, 3);
}

}  // namespace
}  // namespace integration
