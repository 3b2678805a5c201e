// SPDX-License-Identifier: Apache-2.0
//
// What a server spends on its peers: connections, calls, replies that nobody takes, descriptors.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>

#include <string>
#include <utility>
#include <vector>

#include "server_harness.h"

// A sanitizer's allocator keeps no such books.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCountsBytes = false;
#else
constexpr bool kCountsBytes = true;
#endif

namespace ttrpc {
namespace {

using test::DataBytes;
using test::RawPeer;
using test::RequestBytes;

constexpr uint8_t kOpenNoData = kFlagRemoteOpen | kFlagNoData;

constexpr size_t kMany = 500;  // things to measure one of

using ServerLimitsTest = test::ServerFixture;

TEST_F(ServerLimitsTest, ConnectionsAtOnce) {
  std::vector<Status> trouble;
  ServerOptions options;
  options.connections = 2;
  options.on_trouble = [&trouble](const Status& what) { trouble.push_back(what); };
  Start(std::move(options));
  auto one = Connect();
  const auto two = Connect();
  EXPECT_EQ(Next(*Connect()), "closed");
  EXPECT_EQ(trouble,
            std::vector<Status>{Status(StatusCode::kResourceExhausted, "too many connections")});
  EXPECT_EQ(Ask(*two, RequestBytes(1, "Echo", "x")), "1 OK x");
  one->Close();
  RunReady();
  one = Connect();
  EXPECT_EQ(Ask(*one, RequestBytes(1, "Echo", "x")), "1 OK x");
}

TEST_F(ServerLimitsTest, CallsAtOnceOnAConnection) {
  ServerOptions options;
  options.streams = 2;
  Start(std::move(options));
  const auto peer = Connect();
  const auto other = Connect();
  peer->Write(RequestBytes(1, "Wait") + RequestBytes(3, "Chat", "", kOpenNoData));
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Echo")), "5 RESOURCE_EXHAUSTED: too many streams");
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Count", "x")), "5 RESOURCE_EXHAUSTED: too many streams");
  EXPECT_EQ(Ask(*other, RequestBytes(1, "Echo")), "1 OK");
  EXPECT_EQ(Ask(*peer, DataBytes(3, "done")), "3 data/5");
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Echo", "x")), "5 OK x");
}

// How many bytes of requests the server takes from a peer that reads nothing.
size_t TakenFrom(RawPeer& peer, const std::string& request,
                 const std::function<void()>& run_ready) {
  size_t taken = 0;
  for (int stuck = 0; stuck < 3;) {
    const bool could = peer.written();
    if (could) {
      peer.Write(request);
      taken += request.size();
    } else {
      peer.Write("");
    }
    run_ready();
    stuck = could || peer.written() ? 0 : stuck + 1;
    if (taken > (64U << 20)) break;
  }
  return taken;
}

TEST_F(ServerLimitsTest, APeerThatTakesNoRepliesIsNotRead) {
  ServerOptions options;
  options.send_buffer = 1U << 20;
  Start(std::move(options));
  const auto peer = Connect();
  const std::string request = RequestBytes(1, "Echo", std::string(10000, 'x'));
  const size_t taken = TakenFrom(*peer, request, [this] { RunReady(); });
  // The buffer, and what the sockets hold.
  EXPECT_LT(taken, 4U << 20);
  EXPECT_GE(taken, 1U << 20);
  // Nothing is lost: it goes on where it stood.
  const std::string reply = "1 OK " + std::string(10000, 'x');
  for (size_t i = 0; i < taken / request.size(); ++i) ASSERT_TRUE(Next(*peer) == reply) << i;
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Echo", "next")), "3 OK next");
}

TEST_F(ServerLimitsTest, NorWithASmallBuffer) {
  for (const size_t send_buffer : {0, 1, 1000}) {
    ServerOptions options;
    options.send_buffer = send_buffer;
    Start(std::move(options));
    const auto peer = Connect();
    const std::string request = RequestBytes(1, "Echo", std::string(2000, 'x'));
    const size_t taken = TakenFrom(*peer, request, [this] { RunReady(); });
    EXPECT_LT(taken, 4U << 20);
    const std::string reply = "1 OK " + std::string(2000, 'x');
    for (size_t i = 0; i < taken / request.size(); ++i) ASSERT_TRUE(Next(*peer) == reply) << i;
    EXPECT_EQ(Ask(*peer, RequestBytes(3, "Echo", "next")), "3 OK next");
  }
}

TEST_F(ServerLimitsTest, OutOfDescriptorsPeersWait) {
  std::vector<Status> trouble;
  ServerOptions options;
  options.on_trouble = [&trouble](const Status& what) { trouble.push_back(what); };
  Start(std::move(options));
  UniqueFd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr where{.sa_family = AF_UNIX, .sa_data = {}};
  ASSERT_EQ(::bind(listening.get(), &where, sizeof(sa_family_t)), 0);
  ASSERT_EQ(::listen(listening.get(), 10), 0);
  sockaddr_storage name;
  socklen_t length = sizeof name;
  ASSERT_EQ(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&name), &length), 0);
  ASSERT_EQ(server_->Serve(std::move(listening)), Status());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&name), length), 0);
  RawPeer peer(std::move(socket));
  peer.Write(RequestBytes(1, "Echo", "x"));

  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  RunUntil([&trouble] { return !trouble.empty(); });
  RunReady();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_EQ(Next(peer), "1 OK x");
  EXPECT_EQ(trouble,
            (std::vector<Status>{Status(StatusCode::kResourceExhausted,
                                        "cannot accept, connections wait: Too many open files"),
                                 Status(StatusCode::kUnknown, "accepting again")}));
}

TEST_F(ServerLimitsTest, AnIdleConnectionAndAPendingCallCostAKibibyteEach) {
  if (!kCountsBytes) GTEST_SKIP() << "the sanitizer's allocator does not tell";
  Start();
  std::vector<std::unique_ptr<RawPeer>> peers;
  peers.reserve(kMany);
  // The first pays for what all share.
  const auto first = Connect();
  EXPECT_EQ(Ask(*first, RequestBytes(1, "Echo", "x")), "1 OK x");
  size_t before = ::mallinfo2().uordblks;
  for (size_t i = 0; i < kMany; ++i) {
    peers.push_back(Connect());
    EXPECT_EQ(Ask(*peers.back(), RequestBytes(1, "Echo", "x")), "1 OK x");
  }
  RunReady();
  size_t each = (::mallinfo2().uordblks - before) / kMany;
  RecordProperty("bytes_of_an_idle_connection", static_cast<int>(each));
  EXPECT_LE(each, 1024U);

  const auto pending = [&](std::string_view method, uint8_t flags, std::string_view request) {
    const auto peer = Connect();
    EXPECT_EQ(Ask(*peer, RequestBytes(1, "Echo", "x")), "1 OK x");
    std::string requests;
    for (uint32_t id = 3; id < 3 + 2 * kMany; id += 2)
      requests += RequestBytes(id, method, request, flags);
    before = ::mallinfo2().uordblks;
    peer->Write(requests);
    RunUntil([this, &peer] {
      peer->Write("");
      return bench_.alive == kMany;
    });
    each = (::mallinfo2().uordblks - before) / kMany;
    RecordProperty("bytes_of_a_pending_" + std::string(method), static_cast<int>(each));
    EXPECT_LE(each, 1024U) << method;
    peer->Close();
    bench_.latch.Open();
    RunUntil([this] { return bench_.alive == 0; });
  };
  pending("Hang", 0, "");
  pending("Chat", kOpenNoData, "");
}

}  // namespace
}  // namespace ttrpc
