// SPDX-License-Identifier: Apache-2.0
//
// A client that connects, shakes hands and reconnects to a listening socket of the test.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "raw_server.h"
#include "support/temp_folder.h"

namespace ttrpc::client_test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

class ClientDialTest : public ClientFixture {
 protected:
  ClientDialTest()
      : address_(*Address::Parse("unix-abstract:ttrpc-client-dial-test-" +
                                 std::to_string(::getpid()))) {}

  void Listen(int backlog = 100) {
    listening_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const SocketAddress where = address_.ToSocketAddress();
    ASSERT_EQ(::bind(listening_.get(), where.get(), where.length), 0);
    ASSERT_EQ(::listen(listening_.get(), backlog), 0);
  }
  // The accepted connection becomes the server.
  bool Accept() {
    UniqueFd accepted(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!accepted) return false;
    server_ = std::make_unique<RawServer>(loop_, std::move(accepted));
    return true;
  }
  void Dial(ClientOptions options = {}) {
    options.on_close = [this](const Status& reason) { told_.push_back(reason); };
    client_ = Client::Dial(loop_.io(), address_, std::move(options));
  }
  static ClientOptions Reconnecting(bool wait_for_ready, nanoseconds back_off) {
    ClientOptions options;
    options.reconnect.emplace();
    options.reconnect->wait_for_ready = wait_for_ready;
    options.reconnect->first = back_off;
    options.reconnect->longest = back_off;
    return options;
  }
  std::string Refused() const {
    return "UNAVAILABLE: " + address_.ToString() + ": Connection refused";
  }

  const Address address_;
  UniqueFd listening_;
  std::vector<Status> told_;
};

// A handshaker that follows the test's script.
class TestHandshaker final : public Handshaker {
 public:
  struct Script {
    explicit Script(IoLoop& loop) : waiter(loop) {}
    Waiter waiter;
    std::optional<Status> refusal;
    int begun = 0;
    int frames = 0;  // frames that exist
  };
  explicit TestHandshaker(Script* script) : script_(script) {}

  Task<Result<Handshaken>> Handshake(IoLoop&, UniqueFd socket) override {
    struct Counter {
      explicit Counter(int* c) : count(c) { ++*count; }
      ~Counter() { --*count; }
      Counter(const Counter&) = delete;
      Counter& operator=(const Counter&) = delete;
      int* count;
    } counter(&script_->frames);
    ++script_->begun;
    struct Awaiter {
      explicit Awaiter(Waiter& w) : waiter(w) {}
      ~Awaiter() { waiter.Cancel(); }
      Awaiter(const Awaiter&) = delete;
      Awaiter& operator=(const Awaiter&) = delete;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> waiting) { waiter.Wait(waiting); }
      void await_resume() const noexcept {}
      Waiter& waiter;
    };
    co_await Awaiter(script_->waiter);
    if (script_->refusal) co_return *script_->refusal;
    co_return Handshaken(std::move(socket));
  }

 private:
  Script* script_;
};

TEST_F(ClientDialTest, CallsGoOverTheNewConnection) {
  Listen();
  Dial();
  Running<Result<std::string>> call(Call("x"));
  ASSERT_TRUE(Accept());
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|x]");
  server_->Reply(1, "y");
  EXPECT_EQ(WaitTold(call), "OK y");
}

TEST_F(ClientDialTest, NobodyListens) {
  Dial();
  EXPECT_EQ(Told(loop_.Run(Call(""))), Refused());
  EXPECT_TRUE(client_->closed());
  auto stream = client_->OpenStream(kBidi, context_, std::nullopt);
  EXPECT_EQ(Told(loop_.Run(stream->Finish())), Refused());
  RunUntil([this] { return !told_.empty(); });
  RunReady();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].ToString(), Refused());
}

TEST_F(ClientDialTest, AFullAcceptQueueIsWaitedFor) {
  Listen(0);
  // A queue of length 0 holds one connection.
  Dial();
  auto first = std::move(client_);
  Dial();
  Running<Result<std::string>> call(Call("queued"));
  RunReady();
  EXPECT_FALSE(call.done());
  ASSERT_TRUE(Accept());
  RunUntil([this] { return Accept(); });
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|queued]");
}

TEST_F(ClientDialTest, AFullAcceptQueueIsNotWaitedForForEver) {
  Listen(0);
  Dial();
  auto first = std::move(client_);
  ClientOptions options;
  options.connect_timeout = milliseconds(5);
  Dial(std::move(options));
  EXPECT_EQ(Told(loop_.Run(Call(""))), "UNAVAILABLE: connect timeout");
  EXPECT_TRUE(client_->closed());
}

// Tests with a port of a virtual machine behind the Unix socket of its monitor.
class HybridVsockDialTest : public ClientDialTest {
 protected:
  HybridVsockDialTest() : monitor_(*Address::Parse("unix://" + (folder_ / "s"))) {
    const SocketAddress where = monitor_.ToSocketAddress();
    listening_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::bind(listening_.get(), where.get(), where.length), 0);
    EXPECT_EQ(::listen(listening_.get(), 10), 0);
  }
  // Accepts the connection and reads the request for the port.
  void DialPort(ClientOptions options = {}) {
    client_ = Client::Dial(loop_.io(), port(), std::move(options));
    socket_.reset(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char request[13];
    ASSERT_EQ(::recv(socket_.get(), request, sizeof request, MSG_WAITALL), 13);
    EXPECT_EQ(std::string(request, sizeof request), "CONNECT 1024\n");
  }
  void Answer(std::string_view text) {
    ASSERT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  Address port() const { return *Address::Parse("hvsock://" + (folder_ / "s") + ":1024"); }

  const ::test::TempFolder folder_;
  const Address monitor_;
  UniqueFd socket_;
};

TEST_F(HybridVsockDialTest, CallsGoToThePort) {
  DialPort();
  Running<Result<std::string>> call(Call("x"));
  Answer("OK 1\n");
  ASSERT_EQ(evutil_make_socket_nonblocking(socket_.get()), 0);
  server_ = std::make_unique<RawServer>(loop_, std::move(socket_));
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|x]");
  server_->Reply(1, "y");
  EXPECT_EQ(WaitTold(call), "OK y");
}

TEST_F(HybridVsockDialTest, PortThatIsRefused) {
  DialPort();
  Running<Result<std::string>> call(Call(""));
  socket_.reset();
  EXPECT_EQ(WaitTold(call), "UNAVAILABLE: " + port().ToString() + ": the port was refused");
}

TEST_F(HybridVsockDialTest, SilenceIsNotWaitedForForEver) {
  ClientOptions options;
  options.connect_timeout = milliseconds(5);
  DialPort(std::move(options));
  EXPECT_EQ(Told(loop_.Run(Call(""))), "UNAVAILABLE: connect timeout");
  char byte = 0;
  EXPECT_EQ(::recv(socket_.get(), &byte, 1, 0), 0) << "the socket is closed";
}

TEST_F(ClientDialTest, ADialCanBeGivenUp) {
  Listen(0);
  Dial();
  auto first = std::move(client_);
  Dial();
  Running<Result<std::string>> destroyed(Call("")), dropped(Call(""));
  dropped.Drop();
  EXPECT_EQ(client_->calls(), 1U);
  client_.reset();
  EXPECT_EQ(WaitTold(destroyed), "CANCELLED: ttrpc: client destroyed");
  Dial();
  Running<Result<std::string>> closed(Call(""));
  client_->Close();
  EXPECT_EQ(WaitTold(closed), "UNAVAILABLE: ttrpc: closed");
  RunReady();
  EXPECT_TRUE(told_.empty());
}

TEST_F(ClientDialTest, CallsWaitForTheHandshake) {
  Listen();
  TestHandshaker::Script script(loop_.io());
  ClientOptions options;
  options.handshaker = std::make_unique<TestHandshaker>(&script);
  Dial(std::move(options));
  ASSERT_TRUE(Accept());
  Running<Result<std::string>> first(Call("a")), dropped(Call("b"));
  auto stream = client_->OpenStream(kBidi, context_, std::nullopt);
  Running<Status> sending(stream->Send("s"));
  Running<Result<std::string>> finishing(stream->Finish());
  EXPECT_EQ(client_->calls(), 3U);
  dropped.Drop();
  RunReady();
  EXPECT_FALSE(server_->has_message());
  EXPECT_FALSE(sending.done());
  script.waiter.Wake();
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|a]");
  EXPECT_EQ(Next(), "3 request/6 [test.Bytes|Chat|]");
  EXPECT_EQ(Next(), "3 data/5 []");
  server_->Reply(1, "");
  server_->End(3);
  EXPECT_EQ(WaitTold(first), "OK ");
  EXPECT_EQ(WaitTold(finishing), "OK ");
  // The stream was closed before it had a connection.
  EXPECT_EQ(Wait(sending), Status(StatusCode::kFailedPrecondition, "ttrpc: stream closed"));
}

TEST_F(ClientDialTest, AMessageSentDuringTheHandshakeFollowsTheRequest) {
  Listen();
  TestHandshaker::Script script(loop_.io());
  ClientOptions options;
  options.handshaker = std::make_unique<TestHandshaker>(&script);
  Dial(std::move(options));
  ASSERT_TRUE(Accept());
  auto stream = client_->OpenStream(kBidi, context_, std::nullopt);
  Running<Status> sending(stream->Send("s"));
  script.waiter.Wake();
  EXPECT_EQ(Wait(sending), Status());
  EXPECT_EQ(Next(), "1 request/6 [test.Bytes|Chat|]");
  EXPECT_EQ(Next(), "1 data/0 [s]");
}

TEST_F(ClientDialTest, AHandshakeThatFails) {
  Listen();
  TestHandshaker::Script script(loop_.io());
  script.refusal.emplace(StatusCode::kPermissionDenied, "the peer is uid 7");
  ClientOptions options;
  options.handshaker = std::make_unique<TestHandshaker>(&script);
  Dial(std::move(options));
  ASSERT_TRUE(Accept());
  Running<Result<std::string>> call(Call(""));
  script.waiter.Wake();
  EXPECT_EQ(WaitTold(call), "UNAVAILABLE: handshake: the peer is uid 7");
  EXPECT_EQ(Next(), "closed");
  EXPECT_EQ(script.frames, 0);
}

TEST_F(ClientDialTest, AHandshakeThatTakesTooLongIsGivenUp) {
  Listen();
  TestHandshaker::Script script(loop_.io());
  ClientOptions options;
  options.handshaker = std::make_unique<TestHandshaker>(&script);
  options.connect_timeout = milliseconds(5);
  Dial(std::move(options));
  ASSERT_TRUE(Accept());
  EXPECT_EQ(script.frames, 1);
  EXPECT_EQ(Told(loop_.Run(Call(""))), "UNAVAILABLE: connect timeout");
  EXPECT_EQ(script.frames, 0);
  EXPECT_EQ(Next(), "closed");
}

TEST_F(ClientDialTest, AHandshakeIsDroppedWithItsClient) {
  Listen();
  TestHandshaker::Script script(loop_.io());
  ClientOptions options;
  options.handshaker = std::make_unique<TestHandshaker>(&script);
  Dial(std::move(options));
  ASSERT_TRUE(Accept());
  Running<Result<std::string>> call(Call(""));
  // The call is woken, and destroyed before it is resumed.
  script.waiter.Wake();
  client_.reset();
  EXPECT_EQ(script.frames, 0);
  EXPECT_EQ(Next(), "closed");
  EXPECT_EQ(WaitTold(call), "CANCELLED: ttrpc: client destroyed");
}

TEST_F(ClientDialTest, HandshakesOverASocketThatWasGiven) {
  ClientOptions options;
  options.handshaker = RequireSameUser();
  Start(std::move(options));
  Running<Result<std::string>> call(Call(""));
  server_->Reply(1, "it is you");
  EXPECT_EQ(WaitTold(call), "OK it is you");
}

TEST_F(ClientDialTest, WithoutReconnectingTheEndIsTheEnd) {
  Listen();
  Dial();
  ASSERT_TRUE(Accept());
  server_->Close();
  RunUntil([this] { return client_->closed(); });
  EXPECT_EQ(Told(loop_.Run(Call(""))), "UNAVAILABLE: ttrpc: closed");
  RunUntil([this] { return !told_.empty(); });
  EXPECT_EQ(told_, std::vector<Status>{Status(StatusCode::kUnavailable, "ttrpc: closed")});
  EXPECT_FALSE(Accept());
}

TEST_F(ClientDialTest, ReconnectsForTheNextCall) {
  Listen();
  Dial(Reconnecting(false, hours(1)));
  ASSERT_TRUE(Accept());
  for (int round = 0; round < 3; ++round) {
    Running<Result<std::string>> lost(Call("lost"));
    // From the second round on, the connection has already carried an abandoned call.
    EXPECT_EQ(Next(), (round == 0 ? "1" : "3") + std::string(" request/0 [test.Bytes|Unary|lost]"));
    server_->Close();
    EXPECT_EQ(WaitTold(lost), "UNAVAILABLE: ttrpc: closed");
    EXPECT_FALSE(client_->closed());
    EXPECT_FALSE(Accept()) << "connects only when needed";
    Running<Result<std::string>> call(Call("again"));
    ASSERT_TRUE(Accept());
    EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|again]");
    server_->Reply(1, "");
    EXPECT_EQ(WaitTold(call), "OK ");
    server_->Close();
    RunUntil([this, round] { return told_.size() == 2 * static_cast<size_t>(round) + 2; });
    Running<Result<std::string>> next(Call(""));
    ASSERT_TRUE(Accept());
    EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|]");
  }
}

TEST_F(ClientDialTest, BacksOffAndFailsMeanwhile) {
  Dial(Reconnecting(false, hours(1)));
  EXPECT_EQ(Told(loop_.Run(Call(""))), Refused());
  EXPECT_FALSE(client_->closed());
  Listen();
  EXPECT_EQ(Told(loop_.Run(Call(""))), Refused()) << "the next attempt is an hour away";
  EXPECT_FALSE(Accept());
  RunUntil([this] { return !told_.empty(); });
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(ClientDialTest, EachFailedAttemptIsTold) {
  Dial(Reconnecting(false, nanoseconds(0)));
  auto first = Call("");
  auto second = Call("");
  EXPECT_EQ(Told(loop_.Run(std::move(first))), Refused());
  EXPECT_EQ(Told(loop_.Run(std::move(second))), Refused());
  RunUntil([this] { return told_.size() == 3; });
  for (const Status& reason : told_) EXPECT_EQ(reason.ToString(), Refused());
}

TEST_F(ClientDialTest, ALongestBackOffBelowTheFirst) {
  ClientOptions options = Reconnecting(true, hours(1));
  options.reconnect->longest = milliseconds(1);
  Dial(std::move(options));
  Running<Result<std::string>> call(Call("x"));
  Listen();
  RunUntil([this] { return Accept(); });
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|x]");
}

TEST_F(ClientDialTest, WaitsUntilThereIsAServer) {
  Dial(Reconnecting(true, milliseconds(1)));
  Running<Result<std::string>> call(Call("early"));
  auto stream = client_->OpenStream(kServerStream, context_, "stream");
  Context hurried;
  hurried.set_timeout(milliseconds(5));
  EXPECT_EQ(Told(loop_.Run(client_->Call(kUnary, hurried, "hurried"))),
            "DEADLINE_EXCEEDED: context deadline exceeded");
  EXPECT_FALSE(call.done());
  Listen();
  RunUntil([this] { return Accept(); });
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|early]");
  EXPECT_EQ(Next(), "3 request/1 [test.Bytes|Count|stream]");
  server_->Reply(1, "");
  EXPECT_EQ(WaitTold(call), "OK ");
}

TEST_F(ClientDialTest, WaitingCallsEndWithTheClient) {
  Dial(Reconnecting(true, milliseconds(1)));
  Running<Result<std::string>> call(Call(""));
  RunUntil([this] { return told_.size() > 3; });
  client_->Close();
  EXPECT_EQ(WaitTold(call), "UNAVAILABLE: ttrpc: closed");
  RunReady();
  const size_t told = told_.size();
  Listen();
  EXPECT_EQ(Told(loop_.Run(Call(""))), "UNAVAILABLE: ttrpc: closed");
  EXPECT_FALSE(Accept());
  EXPECT_EQ(told_.size(), told);
}

TEST_F(ClientDialTest, UsedUpIdsGiveWayToAFreshConnection) {
  Listen();
  ClientOptions options;
  options.last_stream_id = 3;
  Dial(std::move(options));
  ASSERT_TRUE(Accept());
  Running<Result<std::string>> first(Call("a")), second(Call("b")), third(Call("c"));
  const auto old = std::move(server_);
  ASSERT_TRUE(Accept());
  EXPECT_EQ(Next(*old), "1 request/0 [test.Bytes|Unary|a]");
  EXPECT_EQ(Next(*old), "3 request/0 [test.Bytes|Unary|b]");
  EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|c]");
  EXPECT_EQ(client_->calls(), 3U);
  server_->Reply(1, "C");
  old->Reply(3, "B");
  old->Reply(1, "A");
  EXPECT_EQ(WaitTold(third), "OK C");
  EXPECT_EQ(WaitTold(second), "OK B");
  EXPECT_EQ(WaitTold(first), "OK A");
  EXPECT_EQ(Next(*old), "closed") << "closes after the last call";
  RunReady();
  EXPECT_TRUE(told_.empty()) << "the client closed it itself";
}

TEST_F(ClientDialTest, MoreWaitingCallsThanAConnectionHasIds) {
  Listen();
  TestHandshaker::Script script(loop_.io());
  ClientOptions options;
  options.last_stream_id = 1;
  options.handshaker = std::make_unique<TestHandshaker>(&script);
  Dial(std::move(options));
  std::vector<Task<Result<std::string>>> calls;
  calls.reserve(5);
  for (int i = 0; i < 5; ++i) calls.push_back(Call(std::to_string(i)));
  std::vector<std::unique_ptr<RawServer>> servers;
  for (int i = 0; i < 5; ++i) {
    RunUntil([&script, i] { return script.begun == i + 1; });
    script.waiter.Wake();
    RunUntil([this] { return Accept(); });
    EXPECT_EQ(Next(), "1 request/0 [test.Bytes|Unary|" + std::to_string(i) + "]");
    server_->Reply(1, std::to_string(i));
    servers.push_back(std::move(server_));
  }
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Told(loop_.Run(std::move(calls[static_cast<size_t>(i)]))), "OK " + std::to_string(i));
  }
}

}  // namespace
}  // namespace ttrpc::client_test
