// SPDX-License-Identifier: Apache-2.0
//
// A server's handshakers: they delay no other connection, may refuse, and may replace the socket
// with another transport.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "server_harness.h"

namespace ttrpc {
namespace {

using test::Latch;
using test::RequestBytes;

class ServerHandshakeTest : public test::ServerFixture {
 protected:
  ServerOptions With(std::unique_ptr<Handshaker> handshaker) {
    ServerOptions options;
    options.handshaker = std::move(handshaker);
    options.on_trouble = [this](const Status& what) { trouble_.push_back(what.ToString()); };
    return options;
  }

  std::vector<std::string> trouble_;
};

// Each handshake waits for its own latch.
class Slow final : public Handshaker {
 public:
  explicit Slow(size_t* alive) : alive_(alive) {}
  Task<Result<Handshaken>> Handshake(IoLoop& loop, UniqueFd socket) override {
    struct Count {
      explicit Count(size_t* a) : alive(a) { ++*alive; }
      Count(const Count&) = delete;
      Count& operator=(const Count&) = delete;
      ~Count() { --*alive; }
      size_t* alive;
    } const count(alive_);
    Latch& latch = latches.emplace_back(loop);
    co_await latch.Opened();
    co_return Handshaken(std::move(socket));
  }
  std::deque<Latch> latches;

 private:
  size_t* const alive_;
};

TEST_F(ServerHandshakeTest, ASlowOneHoldsUpNobody) {
  size_t alive = 0;
  auto slow = std::make_unique<Slow>(&alive);
  Slow& handshaker = *slow;
  Start(With(std::move(slow)));
  const auto one = Connect();
  const auto two = Connect();
  one->Write(RequestBytes(1, "Echo", "one"));
  RunReady();
  EXPECT_EQ(alive, 2U);
  EXPECT_EQ(server_->connections(), 2U);
  handshaker.latches[1].Open();
  EXPECT_EQ(Ask(*two, RequestBytes(1, "Echo", "two")), "1 OK two");
  one->Read();
  EXPECT_EQ(one->received(), "");
  handshaker.latches[0].Open();
  EXPECT_EQ(Next(*one), "1 OK one");
  EXPECT_EQ(alive, 0U);
  EXPECT_EQ(trouble_, std::vector<std::string>());
}

TEST_F(ServerHandshakeTest, ItsTimeIsLimited) {
  size_t alive = 0;
  ServerOptions options = With(std::make_unique<Slow>(&alive));
  options.handshake_timeout = std::chrono::milliseconds(1);
  Start(std::move(options));
  EXPECT_EQ(Next(*Connect()), "closed");
  EXPECT_EQ(trouble_, std::vector<std::string>{"DEADLINE_EXCEEDED: handshake timeout"});
  RunReady();
  EXPECT_EQ(alive, 0U);
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(ServerHandshakeTest, ThoseUnderWayCountAsConnectionsAndEndWithTheServer) {
  size_t alive = 0;
  auto slow = std::make_unique<Slow>(&alive);
  Slow& handshaker = *slow;
  ServerOptions options = With(std::move(slow));
  options.connections = 1;
  Start(std::move(options));
  const auto peer = Connect();
  EXPECT_EQ(Next(*Connect()), "closed");
  // The handshake ends in the same turn in which its time is over.
  handshaker.latches[0].Open();
  bool done = false;
  server_->Shutdown(std::chrono::seconds(60), [&done] { done = true; });
  EXPECT_EQ(Next(*peer), "closed");
  RunUntil([&done] { return done; });
  EXPECT_EQ(alive, 0U);
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(ServerHandshakeTest, CloseEndsThem) {
  size_t alive = 0;
  Start(With(std::make_unique<Slow>(&alive)));
  const auto peer = Connect();
  server_->Close();
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_EQ(Next(*peer), "closed");
  EXPECT_EQ(alive, 0U);
  Start(With(std::make_unique<Slow>(&alive)));
  const auto other = Connect();
  server_.reset();
  EXPECT_EQ(alive, 0U);
}

TEST_F(ServerHandshakeTest, ARefusalClosesTheConnectionWithoutAByte) {
  Start(With(RequireUnixCredentials(
      [](const UnixCredentials&) { return Status(StatusCode::kPermissionDenied, "not today"); })));
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Echo", "x"));
  EXPECT_EQ(Next(*peer), "closed");
  EXPECT_EQ(trouble_, std::vector<std::string>{"PERMISSION_DENIED: not today"});
}

TEST_F(ServerHandshakeTest, HandlersAreToldWhoCalls) {
  Start(With(RequireSameUser()));
  const auto peer = Connect();
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Show")), "1 OK OK none somebody");
}

// Replaces the socket with its own and carries all bytes between the two, each combined with a bit
// pattern. This is the simplest possible cipher.
class Pump final : public HandshakeSession {
 public:
  Pump(IoLoop& loop, UniqueFd outer, UniqueFd inner, int* alive)
      : outer_(std::move(outer)), inner_(std::move(inner)), alive_(alive) {
    ++*alive_;
    Watch(loop, outer_.get(), &outer_event_);
    Watch(loop, inner_.get(), &inner_event_);
  }
  ~Pump() override { --*alive_; }

 private:
  void Watch(IoLoop& loop, int fd, EventPtr* event) {
    event->reset(event_new(
        loop.base(), fd, EV_READ | EV_PERSIST,
        [](evutil_socket_t ready, short, void* self) { static_cast<Pump*>(self)->Carry(ready); },
        this));
    event_add(event->get(), nullptr);
  }
  void Carry(int from) {
    const bool outwards = from == inner_.get();
    char buffer[4096];
    const ssize_t n = ::recv(from, buffer, sizeof buffer, 0);
    if (n > 0) {
      for (ssize_t i = 0; i < n; ++i) buffer[i] = static_cast<char>(buffer[i] ^ 0x5a);
      // The sockets accept the tests' short messages in one piece.
      EXPECT_EQ(::send(outwards ? outer_.get() : inner_.get(), buffer, static_cast<size_t>(n),
                       MSG_NOSIGNAL),
                n);
      return;
    }
    outer_event_.reset();
    inner_event_.reset();
    ::shutdown(outwards ? outer_.get() : inner_.get(), SHUT_RDWR);
  }

  UniqueFd outer_;
  UniqueFd inner_;
  int* const alive_;
  EventPtr outer_event_;
  EventPtr inner_event_;
};

class Scrambling final : public Handshaker {
 public:
  explicit Scrambling(int* alive) : alive_(alive) {}
  Task<Result<Handshaken>> Handshake(IoLoop& loop, UniqueFd socket) override {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
      co_return Status(StatusCode::kInternal, "no socketpair");
    UniqueFd ours(fds[0]);
    Handshaken handshaken{UniqueFd(fds[1])};
    handshaken.session = std::make_unique<Pump>(loop, std::move(socket), std::move(ours), alive_);
    co_return std::move(handshaken);
  }

 private:
  int* const alive_;
};

std::string Scrambled(std::string bytes) {
  for (char& c : bytes) c = static_cast<char>(c ^ 0x5a);
  return bytes;
}

TEST_F(ServerHandshakeTest, MayReplaceTheTransport) {
  int alive = 0;
  std::vector<std::unique_ptr<Handshaker>> both;
  both.push_back(ReadCredentials());
  both.push_back(std::make_unique<Scrambling>(&alive));
  Start(With(AllOf(std::move(both))));
  const auto peer = Connect();
  RunReady();
  EXPECT_EQ(alive, 1);
  peer->Write(Scrambled(RequestBytes(1, "Show")));
  RunUntil([&peer] {
    peer->Read();
    return !peer->received().empty();
  });
  EXPECT_EQ(peer->received(), Scrambled(test::MessageBytes(MessageType::kResponse, 1, 0,
                                                           "\x12\x10OK none somebody")));
  // The session is destroyed with the connection or with the last of its calls.
  peer->Write(Scrambled(RequestBytes(3, "Wait")));
  RunUntil([this] { return bench_.alive == 1; });
  peer->Close();
  RunUntil([this] { return server_->connections() == 0; });
  RunReady();
  EXPECT_EQ(alive, 1);
  bench_.latch.Open();
  RunReady();
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace ttrpc
