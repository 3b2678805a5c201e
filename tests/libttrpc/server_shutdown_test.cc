// SPDX-License-Identifier: Apache-2.0
//
// The end of a server: Shutdown(), Close() and its destructor, with handlers that wait in all
// possible places.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <utility>
#include <vector>

#include "server_harness.h"

namespace ttrpc {
namespace {

using std::chrono::seconds;
using test::CloseBytes;
using test::DataBytes;
using test::kOpenNoData;
using test::RawPeer;
using test::RequestBytes;

class ServerShutdownTest : public test::ServerFixture {
 protected:
  void Shutdown(std::chrono::nanoseconds timeout) {
    server_->Shutdown(timeout, [this] { ++done_; });
  }
  void RunUntilDone() {
    RunUntil([this] { return done_ > 0; });
  }

  int done_ = 0;
};

TEST_F(ServerShutdownTest, OfAnIdleServerClosesItsConnections) {
  Start();
  const auto one = Connect();
  const auto two = Connect();
  EXPECT_EQ(Ask(*two, RequestBytes(1, "Echo", "x")), "1 OK x");
  Shutdown(seconds(60));
  EXPECT_EQ(done_, 0) << "`done` was called within the call";
  EXPECT_EQ(Next(*one), "closed");
  EXPECT_EQ(Next(*two), "closed");
  RunUntilDone();
  EXPECT_EQ(server_->connections(), 0U);
  RunReady();
  EXPECT_EQ(done_, 1);
}

TEST_F(ServerShutdownTest, OfAServerWithoutConnectionsIsDone) {
  Start();
  Shutdown(seconds(60));
  RunUntilDone();
  EXPECT_EQ(done_, 1);
}

TEST_F(ServerShutdownTest, LetsCallsEndAndTakesNoNewOnes) {
  Start();
  const auto peer = Connect();
  const auto idle = Connect();
  peer->Write(RequestBytes(1, "Wait", "one") + RequestBytes(3, "Chat", "", kOpenNoData));
  RunReady();
  Shutdown(seconds(60));
  EXPECT_EQ(Next(*idle), "closed");
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "Echo", "x")), "5 UNAVAILABLE: ttrpc: server closed");
  EXPECT_EQ(Ask(*peer, DataBytes(3, "goes on")), "3 data/0 goes on");
  bench_.latch.Open();
  EXPECT_EQ(Next(*peer), "1 OK one");
  EXPECT_EQ(done_, 0);
  EXPECT_EQ(Ask(*peer, CloseBytes(3)), "3 data/5");
  EXPECT_EQ(Next(*peer), "closed");
  RunUntilDone();
}

TEST_F(ServerShutdownTest, TheLastReplyArrivesBeforeTheEnd) {
  Start();
  const auto peer = Connect();
  // The request is larger than the socket accepts at once.
  const std::string long_one(4000000, 'x');
  peer->Write(RequestBytes(1, "Wait", long_one));
  RunUntil([&] {
    peer->Write("");
    return bench_.alive == 1;
  });
  Shutdown(seconds(60));
  bench_.latch.Open();
  RunReady();
  EXPECT_EQ(done_, 0);
  EXPECT_TRUE(Next(*peer) == "1 OK " + long_one);
  EXPECT_EQ(Next(*peer), "closed");
  RunUntilDone();
}

TEST_F(ServerShutdownTest, AfterItsTimeoutTheRestIsClosed) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Hang") + RequestBytes(3, "Chat", "", kOpenNoData));
  RunReady();
  EXPECT_EQ(bench_.alive, 2U);
  Shutdown(std::chrono::milliseconds(1));
  RunUntilDone();
  EXPECT_EQ(bench_.alive, 0U);
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_EQ(Next(*peer), "closed");
}

TEST_F(ServerShutdownTest, ASecondOneReplacesTheFirst) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Wait"));
  RunReady();
  bool first_done = false;
  server_->Shutdown(seconds(60), [&first_done] { first_done = true; });
  RunReady();
  EXPECT_EQ(server_->calls(), 1U);
  Shutdown(seconds(0));
  RunUntilDone();
  EXPECT_EQ(done_, 1);
  EXPECT_FALSE(first_done);
  EXPECT_EQ(Next(*peer), "closed");
}

TEST_F(ServerShutdownTest, APeerThatTakesNothingHoldsItUpNoLongerThanThat) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Chat", "", kOpenNoData) + DataBytes(1, "long 3000000"));
  RunReady();
  Shutdown(std::chrono::milliseconds(1));
  RunUntilDone();
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(ServerShutdownTest, OfNoTimeFromWithinAHandler) {
  Start();
  const auto peer = Connect();
  bench_.act = [this] { Shutdown(seconds(0)); };
  peer->Write(RequestBytes(1, "Hang") + RequestBytes(3, "Act"));
  RunUntilDone();
  EXPECT_EQ(bench_.alive, 0U);
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(ServerShutdownTest, FromWithinAHandlerItsOwnReplyIsSent) {
  Start();
  const auto peer = Connect();
  bench_.act = [this] { Shutdown(seconds(60)); };
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Act")), "1 OK acted");
  EXPECT_EQ(Next(*peer), "closed");
  RunUntilDone();
}

TEST_F(ServerShutdownTest, DoneMayDestroyTheServer) {
  Start();
  const auto peer = Connect();
  server_->Shutdown(seconds(60), [this] {
    server_.reset();
    ++done_;
  });
  RunUntilDone();
  EXPECT_EQ(Next(*peer), "closed");
}

TEST_F(ServerShutdownTest, DoneMayDestroyTheServerWhenItsTimeIsOver) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Hang"));
  RunReady();
  server_->Shutdown(seconds(0), [this] {
    server_.reset();
    ++done_;
  });
  RunUntilDone();
  EXPECT_EQ(bench_.alive, 0U);
}

TEST_F(ServerShutdownTest, NothingIsTakenAfterIt) {
  Start();
  Shutdown(seconds(60));
  EXPECT_EQ(Next(*Connect()), "closed");
  RunUntilDone();
  EXPECT_EQ(Next(*Connect()), "closed");
  EXPECT_EQ(server_->connections(), 0U);
}

// Connects to a listening socket of the server without being accepted yet.
class ListeningTest : public ServerShutdownTest {
 protected:
  void Listen() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // The kernel chooses an abstract name.
    sockaddr_un where{.sun_family = AF_UNIX, .sun_path = {}};
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&where), sizeof(sa_family_t)), 0);
    ASSERT_EQ(::listen(socket.get(), 100), 0);
    length_ = sizeof where_;
    ASSERT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&where_), &length_), 0);
    ASSERT_EQ(server_->Serve(std::move(socket)), Status());
  }
  std::unique_ptr<RawPeer> Dial() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&where_), length_), 0);
    return std::make_unique<RawPeer>(std::move(socket));
  }

  sockaddr_un where_{};
  socklen_t length_ = 0;
};

TEST_F(ListeningTest, ShutdownBeforeAnythingWasAccepted) {
  Start();
  Listen();
  const auto peer = Dial();
  peer->Write(RequestBytes(1, "Echo", "x"));
  Shutdown(seconds(60));
  EXPECT_EQ(Next(*peer), "closed");
  RunUntilDone();
}

TEST_F(ListeningTest, ShutdownRacesWithConnectionsAtEveryTurn) {
  for (int turns = 0; turns < 6; ++turns) {
    done_ = 0;
    Start();
    Listen();
    std::vector<std::unique_ptr<RawPeer>> peers;
    for (int i = 0; i < 40; ++i) {
      peers.push_back(Dial());
      peers.back()->Write(RequestBytes(1, "Echo", "x"));
    }
    for (int i = 0; i < turns; ++i) event_base_loop(loop_.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    Shutdown(seconds(60));
    for (const auto& peer : peers) {
      std::string last;
      for (std::string got; (got = Next(*peer)) != "closed"; last = got) {
        EXPECT_TRUE(got == "1 OK x" || got == "1 UNAVAILABLE: ttrpc: server closed") << got;
        EXPECT_EQ(last, "") << "answered twice";
      }
    }
    RunUntilDone();
    server_.reset();
  }
}

// The handlers wait for a latch, for their cancellation, to receive and to send. One call is
// already answered.
std::string Everywhere() {
  return RequestBytes(1, "Wait") + RequestBytes(3, "Hang") +
         RequestBytes(5, "Chat", "", kOpenNoData) + RequestBytes(7, "Early", "", kOpenNoData) +
         RequestBytes(9, "Count", std::string(3000, 'x')) +
         RequestBytes(11, "Idle", std::string(100, 'x'), kOpenNoData);
}

TEST_F(ServerShutdownTest, CloseDestroysHandlersWhereverTheyWait) {
  ServerOptions options;
  options.stream_buffer = 10;  // Idle's stream stops the connection
  Start(std::move(options));
  const auto peer = Connect();
  peer->Write(Everywhere());
  RunReady();
  EXPECT_EQ(bench_.alive, 6U);
  bench_.log.clear();
  server_->Close();
  EXPECT_EQ(bench_.alive, 0U);
  EXPECT_EQ(bench_.log, std::vector<std::string>());
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_EQ(server_->calls(), 0U);
  server_->Close();
  EXPECT_EQ(Next(*Connect()), "closed");
}

TEST_F(ServerShutdownTest, SoDoesItsDestructor) {
  Start();
  const auto peer = Connect();
  peer->Write(Everywhere());
  RunReady();
  server_.reset();
  EXPECT_EQ(bench_.alive, 0U);
  RunReady();
}

TEST_F(ServerShutdownTest, CloseWithHandlersThatWereWokenButHaveNotRun) {
  Start();
  const auto peer = Connect();
  peer->Write(Everywhere());
  RunReady();
  bench_.latch.Open();
  server_->Close();
  EXPECT_EQ(bench_.alive, 0U);
  RunReady();
}

TEST_F(ServerShutdownTest, CloseAfterThePeerWentAndBeforeItsConnectionIsGone) {
  Start();
  const auto peer = Connect();
  peer->Write(Everywhere());
  RunReady();
  peer->Close();
  event_base_loop(loop_.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  server_->Close();
  EXPECT_EQ(bench_.alive, 0U);
  RunReady();
}

TEST_F(ServerShutdownTest, CloseDuringShutdownIsItsEnd) {
  Start();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Hang"));
  RunReady();
  Shutdown(seconds(60));
  server_->Close();
  RunUntilDone();
  EXPECT_EQ(done_, 1);
}

// A hook that the handler made destroys an object that the call uses.
Task<Status> EndsInItsHook(void* service, Context& context, std::string_view, ReplySink& reply) {
  auto& bench = *static_cast<test::Bench*>(service);
  const test::Alive alive(bench);
  struct Ended {
    std::coroutine_handle<> waiting;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) { waiting = handle; }
    void await_resume() const noexcept {}
  } ended;
  const CancelHook hook(context, [&ended](const Status&) { ended.waiting.resume(); });
  co_await ended;
  bench.log.push_back("told");
  co_return reply.WriteBytes("");
}

TEST_F(ServerShutdownTest, AHandlerMayEndWhileItIsTold) {
  Start();
  ASSERT_EQ(server_->Register({"test.Hook", &bench_, {Method("End", EndsInItsHook)}}), Status());
  RequestView request;
  request.service = "test.Hook";
  request.method = "End";
  const auto bytes = [&request] {
    return test::MessageBytes(MessageType::kRequest, 1, 0, test::Envelope(request));
  };
  // The peer disconnects.
  auto peer = Connect();
  peer->Write(bytes());
  RunReady();
  peer->Close();
  RunReady();
  EXPECT_EQ(bench_.alive, 0U);
  // The call is refused.
  peer = Connect();
  peer->Write(bytes());
  EXPECT_EQ(Ask(*peer, DataBytes(1, "x")), "1 INVALID_ARGUMENT: StreamID is no longer active");
  EXPECT_EQ(bench_.alive, 0U);
  // The deadline passes.
  request.timeout_nano = 1;
  EXPECT_EQ(Ask(*peer, bytes()), "1 OK");
  EXPECT_EQ(bench_.log, (std::vector<std::string>{"told", "told", "told"}));
}

}  // namespace
}  // namespace ttrpc
