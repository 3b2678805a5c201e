// SPDX-License-Identifier: Apache-2.0
//
// The resources that a server uses for its peers: connections, calls, unread replies and
// descriptors.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <string>
#include <utility>
#include <vector>

#include "server_harness.h"

namespace ttrpc {
namespace {

using test::DataBytes;
using test::kOpenNoData;
using test::RawPeer;
using test::RequestBytes;

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

// Otherwise a client whose calls are refused could start any number of handlers.
TEST_F(ServerLimitsTest, ACallThatWasAnsweredCountsUntilItsHandlerHasEnded) {
  ServerOptions options;
  options.streams = 2;
  Start(std::move(options));
  const auto peer = Connect();
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Wait") + DataBytes(1, "x")),
            "1 INVALID_ARGUMENT: StreamID is no longer active");
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "Early", "", kOpenNoData)), "3 OK early");
  EXPECT_EQ(bench_.alive, 2U);
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Echo")), "5 RESOURCE_EXHAUSTED: too many streams");
  // The client gets the same status for both as for unknown streams.
  EXPECT_EQ(Ask(*peer, DataBytes(1, "x")), "1 INVALID_ARGUMENT: StreamID is no longer active");
  EXPECT_EQ(Ask(*peer, DataBytes(3, "x")), "3 INVALID_ARGUMENT: StreamID is no longer active");
  bench_.latch.Open();
  RunUntil([this] { return bench_.alive == 0; });
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Echo", "x")), "5 OK x");
}

// Returns how many bytes of requests the server accepts from a peer that reads nothing.
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
  // The server accepts as much as its buffer and the sockets hold.
  EXPECT_LT(taken, 4U << 20);
  EXPECT_GE(taken, 1U << 20);
  // Nothing is lost: the server continues where it stopped.
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
                                        "cannot accept connections: Too many open files"),
                                 Status(StatusCode::kUnknown, "accepting connections again")}));
}

}  // namespace
}  // namespace ttrpc
