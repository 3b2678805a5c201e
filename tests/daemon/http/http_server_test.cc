// SPDX-License-Identifier: Apache-2.0
//
// Tests which connection a full HttpServer closes for a new one, and that it keeps its limit.
// integration/http_test.cc tests what a server does with a single connection.
#include "http/http_server.h"

#include <event2/event.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace proxyd {
namespace {

using ttrpc::IoLoop;
using ttrpc::UniqueFd;

constexpr size_t kPlaces = HttpServer::kConnections;
constexpr std::string_view kShort = "GET /short HTTP/1.1\r\nHost: localhost\r\n\r\n";
// The reply is larger than the socket's buffer, so that the server waits for the client to read.
constexpr std::string_view kLong = "GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct EventBaseDeleter {
  void operator()(event_base* base) const { event_base_free(base); }
};

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest()
      : base_(event_base_new()),
        loop_(base_.get(), Now),
        server_(
            loop_, [this](std::string_view path) { return Answer(path); },
            [this](bool accepting) { accepting_ = accepting; }) {}

  // Sends `request` and then lets the server accept the connection. The loop does not turn, so that
  // several calls in a row act like a batch of the acceptor.
  UniqueFd Connect(std::string_view request = "") {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    UniqueFd client(ends[0]);
    Send(client, request);
    server_.Serve(UniqueFd(ends[1]));
    return client;
  }
  static void Send(const UniqueFd& client, std::string_view bytes) {
    EXPECT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Returns clients that do not read the replies that the server has sent them.
  std::vector<UniqueFd> ConnectStuck(size_t count) {
    std::vector<UniqueFd> clients;
    while (clients.size() < count) clients.push_back(Connect(kLong));
    RunUntil([this, count] { return answered_ == count; });
    return clients;
  }

  static bool IsOpen(const UniqueFd& client) {
    pollfd entry = {.fd = client.get(), .events = 0, .revents = 0};
    EXPECT_GE(::poll(&entry, 1, 0), 0);
    return (entry.revents & (POLLHUP | POLLERR)) == 0;
  }
  // Waits until the server has closed the connection. libevent closes its socket a turn later.
  void ExpectClosed(const UniqueFd& client) {
    RunUntil([&client] { return !IsOpen(client); });
  }
  static size_t CountOpen(const std::vector<UniqueFd>& clients) {
    size_t open = 0;
    for (const UniqueFd& client : clients) open += IsOpen(client) ? 1 : 0;
    return open;
  }
  // Returns the number of bytes that the client has sent and the server has not read.
  static int UnreadOf(const UniqueFd& client) {
    int count = 0;
    EXPECT_EQ(::ioctl(client.get(), TIOCOUTQ, &count), 0);
    return count;
  }
  std::string ReadAll(const UniqueFd& client) {
    std::string all;
    RunUntil([&] {
      char bytes[4096];
      const ssize_t count = ::recv(client.get(), bytes, sizeof bytes, 0);
      if (count > 0) all.append(bytes, static_cast<size_t>(count));
      return count == 0;
    });
    return all;
  }

  // Runs the loop until `done` returns true, or fails the test after a generous deadline.
  void RunUntil(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      event_base_loop(base_.get(), EVLOOP_NONBLOCK);
    }
  }

  // Only the tests advance this clock, so that a slow machine does not make connections stuck.
  static IoLoop::TimePoint Now() { return now_; }
  static inline IoLoop::TimePoint now_ = IoLoop::TimePoint(std::chrono::hours(1));

  std::unique_ptr<event_base, EventBaseDeleter> base_;
  IoLoop loop_;
  bool accepting_ = true;
  size_t answered_ = 0;
  HttpServer server_;

 private:
  HttpReply Answer(std::string_view path) {
    ++answered_;
    return {.body = path == "/long" ? std::string(size_t{1} << 20, 'x') : "short\n"};
  }
};

TEST_F(HttpServerTest, ClosesANewConnectionIfNoneYields) {
  std::vector<UniqueFd> clients = ConnectStuck(kPlaces);
  const UniqueFd late = Connect(kShort);
  EXPECT_FALSE(IsOpen(late));
  EXPECT_EQ(CountOpen(clients), kPlaces) << "the stuck clients keep their connections";
}

TEST_F(HttpServerTest, AcceptsAgainWhenAConnectionIsStuck) {
  std::vector<UniqueFd> clients;
  while (clients.size() < kPlaces) clients.push_back(Connect());
  RunUntil([this] { return accepting_; });  // the next tick renews the accepts
  for (const UniqueFd& client : clients) Send(client, kLong);
  RunUntil([this] { return answered_ == kPlaces; });
  EXPECT_FALSE(accepting_);
  now_ += HttpServer::kStuck;
  RunUntil([this] { return accepting_; });
  clients.push_back(Connect(kShort));
  ExpectClosed(clients.front());  // it has been stuck the longest
  EXPECT_EQ(CountOpen(clients), kPlaces);
}

// The server accepts several connections in a row before it reads from the first.
TEST_F(HttpServerTest, AnUnreadRequestKeepsItsConnection) {
  const std::vector<UniqueFd> stuck = ConnectStuck(kPlaces - 2);
  const UniqueFd silent = Connect();
  const UniqueFd asked = Connect(kShort);
  const UniqueFd next = Connect();
  const UniqueFd last = Connect();
  ExpectClosed(silent);  // it is the oldest without a request
  ExpectClosed(next);
  EXPECT_TRUE(IsOpen(asked));
  EXPECT_TRUE(IsOpen(last));
  EXPECT_EQ(CountOpen(stuck), stuck.size());
  EXPECT_THAT(ReadAll(asked), ::testing::EndsWith("\r\n\r\nshort\n"));
}

TEST_F(HttpServerTest, APartialRequestDoesNotKeepItsConnection) {
  const std::vector<UniqueFd> stuck = ConnectStuck(kPlaces - 1);
  const UniqueFd slow = Connect("GET /short HT");
  RunUntil([&slow] { return UnreadOf(slow) == 0; });
  const UniqueFd next = Connect(kShort);
  ExpectClosed(slow);
  EXPECT_THAT(ReadAll(next), ::testing::EndsWith("\r\n\r\nshort\n"));
}

}  // namespace
}  // namespace proxyd
