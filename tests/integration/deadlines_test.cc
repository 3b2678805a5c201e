// SPDX-License-Identifier: Apache-2.0
//
// Deadlines: which one a call gets, which timeout the backend receives, and who enforces it.
#include <gtest/gtest.h>

#include "harness/proxy_test.h"

namespace integration {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMillisecond = 1'000'000;

class DeadlinesTest : public ProxyTest {
 protected:
  // Expects that the backend receives the timeout `forwarded` for a call with `given`.
  void ExpectForwarded(int64_t given, int64_t forwarded, const std::string& service) {
    RawPeer peer = Peer();
    EXPECT_EQ(peer.Exchange(Request(1, {.service = service, .timeout_nano = given})),
              Response(1, ""));
    EXPECT_EQ(backend_->WaitForMessages(peers_++, 1),
              (std::vector{Request(1, {.service = service, .timeout_nano = forwarded})}));
  }

  size_t peers_ = 0;
};

const char kTightRule[] = R"(
[[rule]]
name = "tight"
users = ["root"]
methods = ["/test.Tight/*"]
action = "allow"
backend = "back"
call_max = "5s"
)";

TEST_F(DeadlinesTest, CallWithoutLimitsKeepsItsOwn) {
  Start();
  ExpectForwarded(0, 0, "test.Unary");
  ExpectForwarded(90 * kSecond + 1, 90 * kSecond + 1, "test.Unary");
}

TEST_F(DeadlinesTest, SmallestOfAllIsForwarded) {
  Start({.head = "[timeouts]\ncall = \"20s\"\ncall_max = \"30s\"\n",
         .rules = std::string(kDefaultRules) + kTightRule});
  ExpectForwarded(0, 20 * kSecond, "test.Unary");
  ExpectForwarded(25 * kSecond, 25 * kSecond, "test.Unary");
  ExpectForwarded(31 * kSecond, 30 * kSecond, "test.Unary");
  ExpectForwarded(INT64_MAX, 30 * kSecond, "test.Unary");
  ExpectForwarded(0, 5 * kSecond, "test.Tight");
  ExpectForwarded(4 * kSecond, 4 * kSecond, "test.Tight");
  ExpectForwarded(6 * kSecond, 5 * kSecond, "test.Tight");
}

TEST_F(DeadlinesTest, MaximumAloneIsGivenToCallsThatCarryNone) {
  Start({.head = "[timeouts]\ncall_max = \"30s\"\n"});
  ExpectForwarded(0, 30 * kSecond, "test.Unary");
}

TEST_F(DeadlinesTest, ListenerOverridesTheTimeouts) {
  Start({.head = "[timeouts]\ncall = \"20s\"\n", .listener = "call = \"7s\"\n"});
  ExpectForwarded(0, 7 * kSecond, "test.Unary");
}

TEST_F(DeadlinesTest, NegativeTimeoutIsOverAtOnceAndNotForwarded) {
  Start();
  RawPeer peer = Peer();
  for (const int64_t nanos : {int64_t{-1}, -kSecond, INT64_MIN}) {
    EXPECT_THAT(peer.Exchange(Request(1, {.timeout_nano = nanos})),
                IsStatus(1, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
  }
  ExpectEcho(peer, 3);
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Echo(1)});
}

TEST_F(DeadlinesTest, TinyTimeoutIsAnsweredOnce) {
  Start();
  RawPeer peer = Peer();
  EXPECT_THAT(peer.Exchange(Request(1, {.method = "Hold", .timeout_nano = 1})),
              IsStatus(1, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
  ExpectEcho(peer, 3);
}

TEST_F(DeadlinesTest, ConfiguredDeadlineIsEnforced) {
  Start({.head = "[timeouts]\ncall = \"30ms\"\n"});
  RawPeer peer = Peer();
  EXPECT_THAT(peer.Exchange(Request(1, {.method = "Hold"})),
              IsStatus(1, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
}

TEST_F(DeadlinesTest, DeadlineEndsAStreamInBothDirections) {
  Start();
  RawPeer peer = Peer();
  const Call call = {.service = "test.Stream", .method = "Hold", .timeout_nano = 50 * kMillisecond};
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));  // keeps the backend connection open
  EXPECT_TRUE(peer.Send(Request(3, call, kOpen)));
  EXPECT_THAT(peer.Receive(),
              IsStatus(3, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
  EXPECT_THAT(peer.Exchange(Data(3, "late")),
              IsStatus(3, StatusCode::kInvalidArgument, "StreamID is no longer active"));
  backend_->WaitForMessages(0, 2);
  backend_->Send(0, Encode({Data(3, "late"), CloseStream(3), Response(1, "in time")}));
  EXPECT_EQ(peer.Receive(), Response(1, "in time"));
}

// The client's own clock decides first: the daemon answers 20 ms after the client's deadline. The
// deadline of the other call, which passes between these two, is the daemon's own. That call is
// sent first, so that a slow machine does not change the order.
TEST_F(DeadlinesTest, ADeadlineOfTheClientsOwnIsEnforcedLater) {
  Start({.rules = std::string(kDefaultRules) + R"(
[[rule]]
name = "timed"
users = ["root"]
methods = ["/test.Timed/*"]
action = "allow"
backend = "back"
call_max = "60ms"
)"});
  RawPeer peer = Peer();
  const Call timed = {.service = "test.Timed", .method = "Hold"};
  EXPECT_TRUE(peer.Send(Encode(
      {Request(1, timed), Request(3, {.method = "Hold", .timeout_nano = 50 * kMillisecond})})));
  EXPECT_THAT(peer.Receive(),
              IsStatus(1, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
  EXPECT_THAT(peer.Receive(),
              IsStatus(3, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
  const auto messages = backend_->WaitForMessages(0, 2);
  EXPECT_EQ(messages.at(1), Request(3, {.method = "Hold", .timeout_nano = 50 * kMillisecond}))
      << "the backend gets no grace";
}

// The backend received the timeout, so its connection need not be closed to cancel the call.
TEST_F(DeadlinesTest, ADeadlineLeavesTheBackendConnectionToOtherCalls) {
  Start({.head = "[timeouts]\ncall_max = \"1s\"\n"});
  RawPeer peer = Peer();
  const auto exceeded = [](uint32_t id) {
    return IsStatus(id, StatusCode::kDeadlineExceeded, "context deadline exceeded");
  };
  EXPECT_THAT(peer.Exchange(Request(1, {.method = "Hold", .timeout_nano = 20 * kMillisecond})),
              exceeded(1));
  backend_->WaitForMessages(0, 1);
  EXPECT_TRUE(backend_->Send(0, Response(1, "late")));
  EXPECT_EQ(peer.Exchange(Request(3, {.payload = "x"})), Response(3, "x"));
  EXPECT_THAT(
      peer.Exchange(Request(
          5, {.service = "test.Stream", .method = "Hold", .timeout_nano = 20 * kMillisecond},
          kOpen)),
      exceeded(5));
  EXPECT_EQ(peer.Exchange(Request(7, {.payload = "y"})), Response(7, "y"));
  EXPECT_EQ(backend_->connections(), 1U);
  EXPECT_EQ(backend_->WaitForMessages(0, 4).size(), 4U);
}

}  // namespace
}  // namespace integration
