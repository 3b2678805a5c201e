// SPDX-License-Identifier: Apache-2.0
//
// [metrics] over TCP, where every account of the machine may connect. The tests check the replies,
// that no client exceeds its bounds, and that the calls of peers continue.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>
#include <vector>

#include "harness/proc.h"
#include "harness/proxy_test.h"

namespace integration {
namespace {

using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// These are the constants of http_server.h.
constexpr size_t kConnections = 16;
constexpr size_t kRequestBytes = 8192;
constexpr std::chrono::seconds kTimeout{10};
constexpr int kRequestsASecond = 100;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Returns a port that is free now.
uint16_t FreePort() {
  const ttrpc::UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

std::string Get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

class HttpTest : public ProxyTest {
 protected:
  void SetUp() override {
    Start({.head = "[daemon]\ndrain_timeout = \"1h\"\n[metrics]\naddress = \"tcp:127.0.0.1:" +
                   std::to_string(port_) + "\"\n"});
  }

  // `window`, if given, is how many bytes the kernel takes for the client before it reads.
  ttrpc::UniqueFd Dial(int window = 0) const {
    ttrpc::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (window != 0) ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
    const sockaddr_in address = Loopback(port_);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  // Reads until the other side ends.
  static std::string ReadAll(const ttrpc::UniqueFd& fd) {
    bool timed_out = false;
    std::string reply = ReadUpTo(fd.get(), 4U << 20, &timed_out);
    EXPECT_FALSE(timed_out) << "no end after " << reply.size() << " bytes";
    return reply;
  }

  std::string Ask(const std::string& request) const {
    const ttrpc::UniqueFd fd = Dial();
    EXPECT_TRUE(SendAll(fd.get(), request));
    return ReadAll(fd);
  }

  size_t Descriptors() const { return DescriptorsOf(daemon_->pid()); }

  // Returns connections that the daemon has accepted and that send no request.
  std::vector<ttrpc::UniqueFd> TakeAllPlaces() {
    const size_t before = Descriptors();
    std::vector<ttrpc::UniqueFd> silent;
    while (silent.size() < kConnections) silent.push_back(Dial());
    EXPECT_TRUE(Eventually([&] { return Descriptors() == before + kConnections; }));
    return silent;
  }

  const uint16_t port_ = FreePort();
};

std::string Line(const std::string& reply) { return reply.substr(0, reply.find('\r')); }

// Returns the body, which must be as long as the head says.
std::string Body(const std::string& reply) {
  const size_t end = reply.find("\r\n\r\n");
  const size_t length = reply.find("Content-Length: ");
  if (end == reply.npos || length == reply.npos || length > end) {
    ADD_FAILURE() << "the reply has no head: " << reply.substr(0, 200);
    return {};
  }
  std::string body = reply.substr(end + 4);
  EXPECT_EQ(body.size(), std::stoul(reply.substr(length + 16)));
  return body;
}

TEST_F(HttpTest, ShowsWhatItHas) {
  EXPECT_THAT(Body(Ask(Get("/metrics"))), HasSubstr("\nttrpc_proxy_build_info{"));
  EXPECT_THAT(Body(Ask(Get("/metrics?name[]=up"))), HasSubstr("\nttrpc_proxy_build_info{"));
  EXPECT_THAT(Body(Ask(Get("/status.json"))), AllOf(StartsWith("{"), EndsWith("}")));
  EXPECT_THAT(Body(Ask(Get("/"))), HasSubstr("<title>ttrpc-proxyd</title>"));
  EXPECT_EQ(Body(Ask(Get("/healthz"))), "ok\n");
  EXPECT_EQ(Body(Ask(Get("/readyz"))), "ready\n");
  for (const char* path : {"/status", "//", "/../metrics", "/metrics/", "*", "http://localhost/"})
    EXPECT_EQ(Line(Ask(Get(path))), "HTTP/1.1 404 Not Found") << path;
}

TEST_F(HttpTest, PageBringsNothingAndIsKeptNowhere) {
  EXPECT_THAT(Ask(Get("/")), AllOf(HasSubstr("\r\nContent-Security-Policy: default-src 'none'; "),
                                   HasSubstr("; frame-ancestors 'none'\r\n"),
                                   HasSubstr("\r\nCross-Origin-Resource-Policy: same-origin\r\n"),
                                   HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n"),
                                   HasSubstr("\r\nCache-Control: no-store\r\n"),
                                   HasSubstr("\r\nConnection: close\r\n")));
}

TEST_F(HttpTest, HeadIsAnsweredWithoutABody) {
  const std::string reply = Ask("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(Line(reply), "HTTP/1.1 200 OK");
  EXPECT_THAT(reply, AllOf(HasSubstr("\r\nContent-Length: 3\r\n"), EndsWith("\r\n\r\n")));
}

TEST_F(HttpTest, OtherMethodsAreRefused) {
  for (const char* method : {"POST", "PUT", "OPTIONS", "TRACE", "CONNECT", "get", "G\xC3\x8BT"}) {
    const std::string reply =
        Ask(method + std::string(" /metrics HTTP/1.1\r\nHost: [::1]\r\n\r\n"));
    EXPECT_EQ(Line(reply), "HTTP/1.1 405 Method Not Allowed") << method;
    EXPECT_THAT(reply, HasSubstr("\r\nAllow: GET, HEAD\r\n"));
  }
}

// A page of another site could let its own name resolve to the loopback, and read the reply (DNS
// rebinding).
TEST_F(HttpTest, AnswersOnlyToItsOwnNames) {
  const auto line = [this](const std::string& headers) {
    return Line(Ask("GET /healthz HTTP/1.1\r\n" + headers + "\r\n"));
  };
  for (const char* host : {"localhost", "LocalHost:1234", "127.0.0.1", "127.0.0.1:80", "127.1.2.3",
                           "[::1]", "[::1]:9464", "  localhost\t", ""})
    EXPECT_EQ(line("Host: " + std::string(host) + "\r\n"), "HTTP/1.1 200 OK") << host;
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "evil.example:9464", "localhost@evil.example", "127.0.0.1,evil.example",
                           "[::1].evil.example", "[::2]", "10.0.0.1", "localhost evil.example"})
    EXPECT_EQ(line("Host: " + std::string(host) + "\r\n"), "HTTP/1.1 421 Misdirected Request")
        << host;
  EXPECT_THAT(Body(Ask("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n")),
              AllOf(StartsWith("Misdirected Request: over TCP the Host must be "),
                    HasSubstr("serve [metrics] on a Unix socket")));
  EXPECT_EQ(line("hOST:evil.example\r\n"), "HTTP/1.1 421 Misdirected Request");
  EXPECT_EQ(line("Host: localhost\r\nHost: evil.example\r\n"), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(line("Accept: */*\r\n"), "HTTP/1.1 400 Bad Request") << "no host";
  EXPECT_EQ(line("Host : localhost\r\n"), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(Line(Ask("GET /healthz HTTP/1.0\r\n\r\n")), "HTTP/1.1 200 OK");
}

TEST_F(HttpTest, GarbageIsABadRequest) {
  for (const std::string& garbage :
       {std::string("\r\n\r\n"), std::string("\n\n"), std::string("GET\r\n\r\n"),
        std::string("GET /metrics\r\n\r\n"), std::string("GET  HTTP/1.1\r\n\r\n"),
        std::string("GET / HTTP/1.10\r\n\r\n"), std::string("GET / HTTP/1.\r\n\r\n"),
        std::string("GET / http/1.1\r\nHost: localhost\r\n\r\n"),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: localhost\r\nno header\r\n\r\n"),
        std::string("\0\0\0\0\n\n", 6), std::string("\x16\x03\x01\x02\x00\x01\n\r\n", 9)})
    EXPECT_EQ(Line(Ask(garbage)), "HTTP/1.1 400 Bad Request") << garbage;
}

TEST_F(HttpTest, LinesMayEndAsTheyLike) {
  for (const char* request : {"GET /healthz HTTP/1.1\nHost: localhost\n\n",
                              "GET /healthz HTTP/1.1\r\nHost: localhost\n\r\n",
                              "GET /healthz HTTP/1.1\nHost: localhost\r\n\n"})
    EXPECT_EQ(Body(Ask(request)), "ok\n");
}

TEST_F(HttpTest, ByteByByte) {
  const ttrpc::UniqueFd fd = Dial();
  for (const char byte : Get("/healthz")) ASSERT_TRUE(SendAll(fd.get(), {&byte, 1}));
  EXPECT_EQ(Body(ReadAll(fd)), "ok\n");
}

TEST_F(HttpTest, HalfCloseBehindTheRequestIsNoEnd) {
  const ttrpc::UniqueFd fd = Dial();
  ASSERT_TRUE(SendAll(fd.get(), Get("/")));
  ASSERT_EQ(::shutdown(fd.get(), SHUT_WR), 0);
  EXPECT_THAT(Body(ReadAll(fd)), EndsWith("</html>\n"));
}

TEST_F(HttpTest, HalfCloseWithinTheRequestIsOne) {
  const ttrpc::UniqueFd fd = Dial();
  ASSERT_TRUE(SendAll(fd.get(), "GET / HTTP/1.1\r\nHost: localhost\r\n"));
  ASSERT_EQ(::shutdown(fd.get(), SHUT_WR), 0);
  EXPECT_EQ(ReadAll(fd), "");
}

// Further requests must not cost the reply: the daemon's kernel still holds most of it after the
// daemon has written it.
TEST_F(HttpTest, OneRequestIsAnsweredAndWholly) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += Get("/");
  const std::string post = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n";
  for (const std::string& requests : {many, Get("/") + std::string(60'000, 'x')}) {
    const ttrpc::UniqueFd fd = Dial(4096);
    ASSERT_TRUE(SendAll(fd.get(), requests));
    EXPECT_THAT(Body(ReadAll(fd)), EndsWith("</html>\n"));
  }
  EXPECT_EQ(Body(Ask(post + std::string(60'000, 'x'))), "Method Not Allowed\n");
}

TEST_F(HttpTest, HeadOfTheRequestIsBounded) {
  const auto padded = [](size_t size) {
    const std::string begin = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Padding: ";
    return begin + std::string(size - begin.size() - 4, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(Body(Ask(padded(kRequestBytes))), "ok\n");
  const std::string wanted = "HTTP/1.1 431 Request Header Fields Too Large";
  EXPECT_EQ(Line(Ask(padded(kRequestBytes + 1))), wanted);
  EXPECT_EQ(Line(Ask(padded(60'000))), wanted);
}

TEST_F(HttpTest, WhoGoesOnSendingIsCutOff) {
  const ttrpc::UniqueFd fd = Dial();
  size_t sent = 0;
  EXPECT_FALSE(SendAll(fd.get(), std::string(64U << 20, 'x'), &sent));
  EXPECT_EQ(Line(Ask(Get("/healthz"))), "HTTP/1.1 200 OK");
}

TEST_F(HttpTest, WhoLeavesWithoutReadingHarmsNobody) {
  const size_t before = Descriptors();
  for (int i = 0; i < 50; ++i) {
    const ttrpc::UniqueFd fd = Dial();
    const linger reset = {.l_onoff = 1, .l_linger = 0};
    if (i % 2 == 0) ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    EXPECT_TRUE(SendAll(fd.get(), Get("/")));
  }
  EXPECT_TRUE(Eventually([&] { return Descriptors() == before; }));
  EXPECT_EQ(Body(Ask(Get("/healthz"))), "ok\n");
}

// Any account can connect. One that takes all places and sends nothing must not keep a scraper out.
TEST_F(HttpTest, WhoSaysNothingMakesRoom) {
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  const auto start = steady_clock::now();
  std::vector<ttrpc::UniqueFd> silent = TakeAllPlaces();
  EXPECT_TRUE(SendAll(silent[0].get(), "GET / HT"));
  const size_t full = Descriptors();
  for (uint32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(Body(Ask(Get("/healthz"))), "ok\n");
    ExpectEcho(peer, 3 + 2 * i);
  }
  EXPECT_LT(steady_clock::now() - start, kTimeout);
  EXPECT_LE(Descriptors(), full);
  EXPECT_EQ(ReadAll(silent[0]), "") << "the oldest connection is not the first to close";
}

// The same holds for a client that has sent a request and then stays, or does not read its reply.
TEST_F(HttpTest, WhoHasAskedAndStaysMakesRoomToo) {
  const auto start = steady_clock::now();
  const size_t before = Descriptors();
  std::vector<ttrpc::UniqueFd> asked;
  for (size_t i = 0; i < kConnections; ++i) {
    asked.push_back(Dial(i % 2 == 0 ? 1024 : 0));
    EXPECT_TRUE(SendAll(asked.back().get(), Get(i % 2 == 0 ? "/" : "/healthz")));
  }
  EXPECT_TRUE(Eventually([&] { return Descriptors() == before + kConnections; }));
  for (size_t i = 0; i < kConnections; ++i) {
    EXPECT_EQ(Body(Ask(Get("/healthz"))), "ok\n");
    EXPECT_LE(Descriptors(), before + kConnections);
  }
  EXPECT_LT(steady_clock::now() - start, kTimeout);
}

// New clients wait while no connection can be closed for them, so the server keeps its limit.
TEST_F(HttpTest, ThereAreNeverMoreThanThereArePlaces) {
  const size_t before = Descriptors();
  std::vector<ttrpc::UniqueFd> clients;
  while (clients.size() < kConnections) clients.push_back(Dial(1024));
  ASSERT_TRUE(Eventually([&] { return Descriptors() == before + kConnections; }));
  for (const ttrpc::UniqueFd& client : clients) EXPECT_TRUE(SendAll(client.get(), Get("/")));
  for (size_t i = 0; i < kConnections; ++i) {
    clients.push_back(Dial(1024));
    EXPECT_TRUE(SendAll(clients.back().get(), Get("/")));
    // The server accepts a connection before it closes another for it.
    EXPECT_LE(Descriptors(), before + kConnections + 1);
  }
}

// Clients that send nothing, send slowly or do not read are all closed after the same time.
TEST_F(HttpTest, EachConnectionHasItsTime) {
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);  // opens its connections before any are counted
  const auto start = steady_clock::now();
  std::vector<ttrpc::UniqueFd> silent = TakeAllPlaces();
  EXPECT_TRUE(SendAll(silent[0].get(), "GET / HT"));
  EXPECT_TRUE(SendAll(silent[1].get(), Get("/").substr(0, 30)));
  EXPECT_TRUE(SendAll(silent[2].get(), Get("/")));  // gets its reply, and never closes
  for (uint32_t i = 1; i < 500; ++i) ExpectEcho(peer, 1 + 2 * i);
  EXPECT_EQ(ReadAll(silent[0]), "");
  // The daemon's loop updates its time only now and then.
  EXPECT_GE(steady_clock::now() - start, kTimeout - std::chrono::milliseconds(100));
  EXPECT_EQ(ReadAll(silent[1]), "");
  EXPECT_THAT(Body(ReadAll(silent[2])), EndsWith("</html>\n"));
  EXPECT_EQ(ReadAll(silent.back()), "");
}

TEST_F(HttpTest, SoManyASecond) {
  constexpr int kRequests = 50;
  const auto start = steady_clock::now();
  for (int i = 0; i < kRequests; ++i) EXPECT_EQ(Body(Ask(Get("/healthz"))), "ok\n");
  // The requests of the first tick do not wait.
  const auto least = std::chrono::milliseconds(1000) * (kRequests - 20) / kRequestsASecond;
  EXPECT_GE(steady_clock::now() - start, least);
}

TEST_F(HttpTest, AFloodDoesNotHoldUpCalls) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> flood;
  flood.reserve(4);
  for (int i = 0; i < 4; ++i) {
    flood.emplace_back([this, &stop] {
      while (!stop) {
        const ttrpc::UniqueFd fd = Dial();
        SendAll(fd.get(), Get("/metrics") + std::string(30'000, '\n'));
      }
    });
  }
  RawPeer peer = Peer();
  for (uint32_t i = 0; i < 500; ++i) ExpectEcho(peer, 1 + 2 * i);
  stop = true;
  for (std::thread& thread : flood) thread.join();
  EXPECT_EQ(Body(Ask(Get("/healthz"))), "ok\n");
}

TEST_F(HttpTest, SaysThatItDrains) {
  RawPeer idle = Peer();
  ExpectEcho(idle, 1);
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(1, 1);
  // The socket closes at once, so that another daemon can use the address; connections stay open.
  const size_t before = Descriptors();
  const ttrpc::UniqueFd ready = Dial();
  const ttrpc::UniqueFd health = Dial();
  const ttrpc::UniqueFd status = Dial();
  ASSERT_TRUE(Eventually([&] { return Descriptors() == before + 3; }));
  daemon_->Signal(SIGTERM);
  idle.ExpectEnd();
  const auto ask = [](const ttrpc::UniqueFd& fd, const std::string& path) {
    EXPECT_TRUE(SendAll(fd.get(), Get(path)));
    return ReadAll(fd);
  };
  const std::string reply = ask(ready, "/readyz");
  EXPECT_EQ(Line(reply), "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(Body(reply), "draining\n");
  EXPECT_EQ(Body(ask(health, "/healthz")), "ok\n");
  EXPECT_THAT(Body(ask(status, "/status.json")), HasSubstr("\"draining\":true"));
  const ttrpc::UniqueFd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Loopback(port_);
  EXPECT_NE(::connect(late.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  peer.Close();
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

// A proxy in front of the Unix socket forwards any Host.
class UnixHttpTest : public ProxyTest {
 protected:
  std::string Ask(const std::string& request) const {
    const ttrpc::UniqueFd fd = Connect(folder_ / "metrics.sock");
    EXPECT_TRUE(SendAll(fd.get(), request));
    bool timed_out = false;
    std::string reply = ReadUpTo(fd.get(), 4U << 20, &timed_out);
    EXPECT_FALSE(timed_out);
    return reply;
  }
  void StartWith(const std::string& keys) {
    Start({.head = "[metrics]\naddress = \"unix://" + (folder_ / "metrics.sock") + "\"\n" + keys,
           .rules = kOpenRules});
  }
};

TEST_F(UnixHttpTest, AnyHostWillDo) {
  StartWith("");
  for (const char* host : {"node1", "metrics.example:443", "%2Frun%2Fm.sock", "10.1.2.3"}) {
    EXPECT_EQ(Line(Ask("GET /metrics HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n")),
              "HTTP/1.1 200 OK")
        << host;
  }
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\n\r\n"), EndsWith("\r\n\r\nBad Request: no Host header\n"));
}

TEST_F(UnixHttpTest, OnlyTheLargestUsersHaveSeriesOfTheirOwn) {
  StartWith("users = 2\n");
  std::vector<RawPeer> peers;
  for (const uid_t uid : {40001, 40002, 40001, 40003, 40002, 40001, 40004})
    ExpectEcho(peers.emplace_back(Peer(Someone(uid))), 1);
  const std::string text = Body(Ask(Get("/metrics")));
  EXPECT_THAT(text, HasSubstr("\nttrpc_proxy_user_connections{uid=\"40001\"} 3\n"
                              "ttrpc_proxy_user_connections{uid=\"40002\"} 2\n"
                              "ttrpc_proxy_user_connections{uid=\"other\"} 2\n"));
  EXPECT_THAT(text, Not(HasSubstr("40003")));
  const std::string status = Body(Ask(Get("/status.json")));
  EXPECT_THAT(status, HasSubstr("\"users_total\":4"));
  EXPECT_THAT(status, Not(HasSubstr("40003")));
}

// No call has used the backend yet, so its state is unknown.
TEST_F(UnixHttpTest, ABackendIsUpOrDownOnceItWasTried) {
  StartWith("");
  EXPECT_THAT(Body(Ask(Get("/metrics"))), Not(HasSubstr("ttrpc_proxy_backend_up{")));
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  EXPECT_THAT(Body(Ask(Get("/metrics"))),
              HasSubstr("\nttrpc_proxy_backend_up{backend=\"back\"} 1\n"));
}

TEST_F(UnixHttpTest, TimeoutsHaveTheirKindAndListener) {
  StartWith("[timeouts]\nfirst_request = \"50ms\"\n");
  RawPeer peer = Peer();
  peer.ExpectEnd();
  EXPECT_THAT(
      Body(Ask(Get("/metrics"))),
      AllOf(
          HasSubstr("\nttrpc_proxy_timeouts_total{kind=\"first_request\",listener=\"front\"} 1\n"),
          HasSubstr("\nttrpc_proxy_timeouts_total{kind=\"idle\",listener=\"front\"} 0\n"),
          HasSubstr("\nttrpc_proxy_timeouts_total{kind=\"backend_write\",listener=\"\"} 0\n")));
}

}  // namespace
}  // namespace integration
