// SPDX-License-Identifier: Apache-2.0
//
// [limits]: how much each user may have, how the rest is refused, and that room is free again once
// it is given back.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>

#include "harness/proxy_test.h"

namespace integration {
namespace {

class LimitsTest : public ProxyTest {
 protected:
  void StartWith(const std::string& limits, const std::string& listener = "",
                 BackendScript script = EchoDo) {
    StartLimited(limits, {.listener = listener, .server = {.script = std::move(script)}});
  }
  // Expects that a new peer is admitted and served, and keeps its connection.
  void ExpectServed(const Identity& identity) {
    ExpectEcho(peers_.emplace_back(Peer(identity)), 1);
  }
  void ExpectClosed(const Identity& identity) { Peer(identity).ExpectEnd(); }
  // A new peer may still be refused until the daemon has noticed that another one is gone.
  void ExpectServedSoon(const Identity& identity) {
    for (;;) {
      RawPeer peer = Peer(identity);
      peer.Send(Echo(1));
      if (peer.Receive()) return;
      ASSERT_FALSE(HasFailure());
    }
  }
  // Waits for this many refusals in the audit.
  void ExpectRefusals(size_t count) const {
    daemon_->WaitForLines(count, [](const std::string& line) {
      return line.find("\"event\":\"refuse\"") != std::string::npos &&
             line.find("RESOURCE_EXHAUSTED") != std::string::npos;
    });
  }

  std::vector<RawPeer> peers_;

  void TearDown() override {
    peers_.clear();
    ProxyTest::TearDown();
  }
};

TEST_F(LimitsTest, ConnectionsInAll) {
  StartWith("connections = 3\nconnections_reserved = 0\n");
  ExpectServed(Someone(kAlice));
  ExpectServed(Someone(kAlice));
  ExpectServed(Someone(kBob));
  ExpectClosed(Someone(kBob));
  ExpectClosed({});
  ExpectRefusals(2);
  peers_.pop_back();
  ExpectServedSoon(Someone(kBob));
}

// An account may use its subordinate uids, each with limits of its own.
TEST_F(LimitsTest, FiftyUidsDoNotShutRootOut) {
  StartWith("connections = 120\nconnections_reserved = 20\n");
  for (uid_t uid = 100000; uid < 100050; ++uid) {
    ExpectServed(Someone(uid));
    ExpectServed(Someone(uid));
  }
  for (uid_t uid = 100000; uid < 100050; ++uid) ExpectClosed(Someone(uid));
  for (int i = 0; i < 20; ++i) ExpectServed({});
  ExpectClosed({});
}

TEST_F(LimitsTest, ConnectionsOfAUser) {
  StartWith("connections_per_user = 2\n");
  ExpectServed(Someone(kAlice));
  ExpectServed(Someone(kAlice));
  ExpectClosed(Someone(kAlice));
  ExpectServed(Someone(kBob));
  peers_.clear();
  ExpectServedSoon(Someone(kAlice));
}

TEST_F(LimitsTest, AListenerMayHaveANumberOfItsOwn) {
  StartWith("connections_per_user = 1\n", "connections_per_user = 3\n");
  for (int i = 0; i < 3; ++i) ExpectServed(Someone(kAlice));
  ExpectClosed(Someone(kAlice));
}

TEST_F(LimitsTest, CallsOnAConnection) {
  StartWith("calls_per_connection = 2\n", "", Silent);
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Encode({Request(1, {}), Request(3, {})})));
  EXPECT_THAT(peer.Exchange(Request(5, {})), IsStatus(5, StatusCode::kResourceExhausted,
                                                      "limit calls_per_connection = 2 reached"));
  // Another connection has calls of its own.
  RawPeer other = Peer();
  EXPECT_TRUE(other.Send(Request(1, {})));
  EXPECT_EQ(backend_->WaitForMessages(1, 1).size(), 1U);
  EXPECT_EQ(backend_->WaitForMessages(0, 2).size(), 2U);
  EXPECT_TRUE(backend_->Send(0, Response(1, "one")));
  EXPECT_EQ(peer.Receive(), Response(1, "one"));
  EXPECT_TRUE(peer.Send(Request(7, {})));
  EXPECT_EQ(backend_->WaitForMessages(0, 3).size(), 3U);
}

TEST_F(LimitsTest, CallsOfAUserOnAllConnections) {
  StartWith("calls_per_user = 2\n", "", Silent);
  RawPeer one = Peer(Someone(kAlice));
  RawPeer two = Peer(Someone(kAlice));
  EXPECT_TRUE(one.Send(Request(1, {})));
  EXPECT_EQ(backend_->WaitForMessages(0, 1).size(), 1U);
  EXPECT_TRUE(two.Send(Request(1, {.service = "test.Stream"}, kOpen)));
  EXPECT_EQ(backend_->WaitForMessages(1, 1).size(), 1U);
  const std::string reached = "limit calls_per_user = 2 reached";
  EXPECT_THAT(two.Exchange(Request(3, {})), IsStatus(3, StatusCode::kResourceExhausted, reached));
  EXPECT_THAT(one.Exchange(Request(3, {})), IsStatus(3, StatusCode::kResourceExhausted, reached));
  // Other users have calls of their own.
  RawPeer bob = Peer(Someone(kBob));
  EXPECT_TRUE(bob.Send(Request(1, {})));
  EXPECT_EQ(backend_->WaitForMessages(2, 1).size(), 1U);
  ExpectRefusals(2);
  // A call that ends, or whose peer disconnects, makes room for another.
  EXPECT_TRUE(backend_->Send(0, Response(1, "one")));
  EXPECT_EQ(one.Receive(), Response(1, "one"));
  two.Close();
  backend_->WaitForEnd(1);
  EXPECT_TRUE(one.Send(Encode({Request(5, {}), Request(7, {})})));
  EXPECT_EQ(backend_->WaitForMessages(0, 3).size(), 3U);
  EXPECT_THAT(one.Exchange(Request(9, {})), IsStatus(9, StatusCode::kResourceExhausted, reached));
}

TEST_F(LimitsTest, RequestsASecondOfAUser) {
  StartWith("requests_per_second_per_user = 5\n");
  RawPeer one = Peer(Someone(kAlice));
  RawPeer two = Peer(Someone(kAlice));
  const auto start = std::chrono::steady_clock::now();
  uint32_t served = 0;
  std::optional<WireMessage> answer;
  for (uint32_t id = 1;; id += 2) {
    answer = (id % 4 == 1 ? one : two).Exchange(Echo(id));
    ASSERT_TRUE(answer.has_value());
    if (*answer != Response(id, "echo")) {
      EXPECT_THAT(answer, IsStatus(id, StatusCode::kResourceExhausted,
                                   "limit requests_per_second_per_user = 5 reached"));
      break;
    }
    ++served;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(served, 5U);
  EXPECT_LE(served, 5U + static_cast<uint32_t>(took.count() * 5) + 1);
  // Other users are not affected.
  RawPeer bob = Peer(Someone(kBob));
  ExpectEcho(bob, 1);
}

// Denied requests count, and are still answered with the denial.
TEST_F(LimitsTest, DeniedRequestsCountTowardsTheRate) {
  StartWith("requests_per_second_per_user = 1\n");
  RawPeer peer = Peer(Someone(kAlice));
  const WireMessage denied = Request(1, {.service = "other.S"});
  const std::string text = "uid 40001 may not call /other.S/Do";
  EXPECT_THAT(peer.Exchange(denied), IsStatus(1, StatusCode::kPermissionDenied, text));
  // This is more than the rate permits while even a slow machine sends it.
  std::string flood;
  for (uint32_t id = 1; id < 2000; id += 2) flood += Encode(Request(id, {.service = "other.S"}));
  EXPECT_TRUE(peer.Send(flood));
  for (uint32_t id = 1; id < 2000; id += 2)
    ASSERT_THAT(peer.Receive(), IsStatus(id, StatusCode::kPermissionDenied, text));
  const auto answer = peer.Exchange(Echo(3));
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT(answer, IsStatus(3, StatusCode::kResourceExhausted,
                               "limit requests_per_second_per_user = 1 reached"));
}

// Memory

// Returns the resident memory of the daemon in bytes.
size_t ResidentMemory(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  size_t total = 0;
  size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

// Returns a request without its last byte.
std::string MostOfARequest(size_t payload) {
  std::string bytes = Encode(Request(1, {.payload = std::string(payload, 'x')}));
  bytes.pop_back();
  return bytes;
}

class MemoryTest : public LimitsTest {
 protected:
  // AddressSanitizer by default keeps a quarter of a gibibyte of freed memory.
  void SetUp() override {
    const char* options = std::getenv("ASAN_OPTIONS");
    if (options != nullptr) options_ = options;
    ::setenv("ASAN_OPTIONS", (options_.value_or("") + ":quarantine_size_mb=1").c_str(), 1);
  }
  void TearDown() override {
    LimitsTest::TearDown();
    if (options_) {
      ::setenv("ASAN_OPTIONS", options_->c_str(), 1);
    } else {
      ::unsetenv("ASAN_OPTIONS");
    }
  }

  // Connects a peer and sends bytes that the daemon must hold; it need not take all of them.
  void Burden(uid_t uid, std::string_view bytes) {
    RawPeer& peer = peers_.emplace_back(Peer(Someone(uid)));
    SendAll(peer.fd(), bytes, nullptr, std::chrono::milliseconds(50));
  }

 private:
  std::optional<std::string> options_;
};

TEST_F(MemoryTest, WhoHoldsTooMuchIsClosedAndOthersAreServed) {
  StartWith("message_size = \"1MiB\"\nbuffered_per_user = \"4MiB\"\n");
  const size_t before = ResidentMemory(daemon_->pid());
  const std::string most = MostOfARequest(1000 << 10);
  RawPeer bob = Peer(Someone(kBob));
  for (uint32_t i = 0; i < 40; ++i) {
    Burden(kAlice, most);
    ExpectEcho(bob, 2 * i + 1);
  }
  EXPECT_LT(ResidentMemory(daemon_->pid()), before + (30U << 20));
  ExpectRefusals(1);
  // After the heavy peers have gone, a new one of that user is served.
  peers_.clear();
  ExpectServedSoon(Someone(kAlice));
}

// The daemon may also hold a message that cannot be completed, or replies that no peer reads.
TEST_F(MemoryTest, RepliesThatNobodyTakesCount) {
  StartWith("message_size = \"1MiB\"\nbuffered_per_user = \"4MiB\"\n", "",
            [](const WireMessage& message) -> BackendReply {
              if (message.type != kRequest) return {};
              return {.bytes = Encode(Response(message.stream_id, std::string(1000 << 10, 'x')))};
            });
  const size_t before = ResidentMemory(daemon_->pid());
  std::string requests;
  for (uint32_t id = 1; id < 40; id += 2) requests += Encode(Request(id, {}));
  for (int i = 0; i < 30; ++i) Burden(kAlice, requests);
  RawPeer bob = Peer(Someone(kBob));
  EXPECT_EQ(bob.Exchange(Request(1, {})), Response(1, std::string(1000 << 10, 'x')));
  EXPECT_LT(ResidentMemory(daemon_->pid()), before + (30U << 20));
}

// A user may hold memory under each of its subordinate uids.
TEST_F(MemoryTest, FiftyUidsDoNotGrowTheDaemonAndRootIsServed) {
  StartWith("message_size = \"1MiB\"\nbuffered_per_user = \"2MiB\"\nbuffered = \"8MiB\"\n");
  const size_t before = ResidentMemory(daemon_->pid());
  const std::string most = MostOfARequest(1000 << 10);
  RawPeer root = Peer();
  uint32_t id = 1;
  for (int round = 0; round < 2; ++round) {
    for (uid_t uid = 100000; uid < 100050; ++uid) {
      Burden(uid, most);
      ExpectEcho(root, id);
      id += 2;
    }
  }
  EXPECT_EQ(root.Exchange(Request(id, {.method = "Do", .payload = std::string(500 << 10, 'r')})),
            Response(id, std::string(500 << 10, 'r')));
  EXPECT_LT(ResidentMemory(daemon_->pid()), before + (40U << 20));
}

}  // namespace
}  // namespace integration
