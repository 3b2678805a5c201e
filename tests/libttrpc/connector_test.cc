// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/connector.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "support/run_until.h"
#include "support/temp_folder.h"
#include "ttrpc/event_loop.h"

namespace {

// Few machines have vsock. While this is set, a vsock socket is a TCP socket to this local port,
// which connects in the same two steps: EINPROGRESS, then SO_ERROR.
std::optional<in_port_t> fake_vsock;

}  // namespace

extern "C" int socket(int domain, int type, int protocol) noexcept {
  const bool fake = domain == AF_VSOCK && fake_vsock.has_value();
  return static_cast<int>(::syscall(SYS_socket, fake ? AF_INET : domain, type, protocol));
}

extern "C" int connect(int fd, const sockaddr* address, socklen_t length) {
  if (address->sa_family != AF_VSOCK || !fake_vsock)
    return static_cast<int>(::syscall(SYS_connect, fd, address, length));
  sockaddr_in instead = {};
  instead.sin_family = AF_INET;
  instead.sin_port = *fake_vsock;
  instead.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return static_cast<int>(::syscall(SYS_connect, fd, &instead, sizeof instead));
}

namespace ttrpc {
namespace {

using std::chrono::milliseconds;

class ConnectorTest : public ::testing::Test {
 protected:
  ConnectorTest()
      : connector_(loop_.io(), [this](Connector::Outcome outcome) {
          EXPECT_FALSE(outcome_.has_value()) << "`done` was called twice";
          outcome_ = std::move(outcome);
        }) {}

  void Listen(int backlog = 10) {
    const SocketAddress where = Unix().ToSocketAddress();
    listening_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(listening_.get(), where.get(), where.length), 0);
    ASSERT_EQ(::listen(listening_.get(), backlog), 0);
  }
  // Accepts the waiting connection. The returned socket is blocking.
  UniqueFd Accept() { return UniqueFd(::accept(listening_.get(), nullptr, nullptr)); }

  Address Unix() const { return *Address::Parse("unix://" + (folder_ / "s")); }
  Address Hybrid() const { return *Address::Parse("hvsock://" + (folder_ / "s") + ":1024"); }

  // Returns true if the outcome is already known.
  bool Start(const Address& address, ConnectorOptions options = {}) {
    outcome_ = connector_.Start(address, std::move(options));
    return outcome_.has_value();
  }
  std::string Wait() {
    ::test::RunUntil(loop_, [this] { return outcome_.has_value(); });
    return Told();
  }
  void RunReady() { event_base_loop(loop_.base(), EVLOOP_NONBLOCK); }
  std::string Told() const {
    if (!outcome_) return "nothing";
    return *outcome_ ? "connected" : outcome_->error().ToString();
  }
  // Reads from the server's side until `size` bytes or the end.
  static std::string Read(const UniqueFd& from, size_t size) {
    std::string bytes(size, '\0');
    const ssize_t n = ::recv(from.get(), bytes.data(), size, MSG_WAITALL);
    bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return bytes;
  }
  static void Write(const UniqueFd& to, std::string_view bytes) {
    ASSERT_EQ(::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Starts an attempt and reads the request for the port.
  UniqueFd StartHybrid(ConnectorOptions options = {}) {
    Listen();
    EXPECT_FALSE(Start(Hybrid(), std::move(options)));
    UniqueFd server = Accept();
    EXPECT_EQ(Read(server, 13), "CONNECT 1024\n");
    return server;
  }

  EventLoop loop_;
  const ::test::TempFolder folder_;
  UniqueFd listening_;
  std::optional<Connector::Outcome> outcome_;
  Connector connector_;
};

TEST_F(ConnectorTest, UnixSocketIsConnectedAtOnce) {
  Listen();
  ASSERT_TRUE(Start(Unix()));
  ASSERT_EQ(Told(), "connected");
  const UniqueFd server = Accept();
  Write(server, "x");
  EXPECT_EQ(Read(**outcome_, 1), "x");
}

TEST_F(ConnectorTest, UnixSocketThatIsNotThereOrRefusesIsToldAtOnce) {
  ASSERT_TRUE(Start(Unix()));
  EXPECT_EQ(Told(), "NOT_FOUND: No such file or directory");
  ASSERT_TRUE(Start(Hybrid()));
  EXPECT_EQ(Told(), "NOT_FOUND: No such file or directory");
  Listen();
  listening_.reset();
  ASSERT_TRUE(Start(Unix()));
  EXPECT_EQ(Told(), "NOT_FOUND: Connection refused");
  ASSERT_TRUE(Start(*Address::Parse("unix:///dev/null/x")));
  EXPECT_EQ(Told(), "UNKNOWN: Not a directory");
}

TEST_F(ConnectorTest, WhoeverFailsTheCheckGetsNoByte) {
  Listen();
  const Status refusal(StatusCode::kPermissionDenied, "somebody else");
  for (const Address& address : {Unix(), Hybrid()}) {
    int asked = -1;
    ASSERT_TRUE(Start(address, {.check = [&](int socket) {
                        asked = socket;
                        return Status(refusal);
                      }}));
    EXPECT_GE(asked, 0);
    EXPECT_EQ(Told(), refusal.ToString());
    EXPECT_EQ(Read(Accept(), 1), "") << "closed without a byte";
  }
}

TEST_F(ConnectorTest, FullAcceptQueueIsWaitedFor) {
  Listen(0);
  ASSERT_TRUE(Start(Unix()));
  // A queue of length 0 holds one connection.
  const auto first = std::move(outcome_);
  ASSERT_FALSE(Start(Unix()));
  RunReady();
  EXPECT_EQ(Told(), "nothing");
  const UniqueFd server = Accept();
  EXPECT_EQ(Wait(), "connected");
}

TEST_F(ConnectorTest, FullAcceptQueueIsWaitedForUntilTheTimeout) {
  Listen(0);
  ASSERT_TRUE(Start(Unix()));
  const auto first = std::move(outcome_);
  ASSERT_FALSE(Start(Unix(), {.timeout = milliseconds(5)}));
  EXPECT_EQ(Wait(), "DEADLINE_EXCEEDED: timed out waiting to be accepted");
}

TEST_F(ConnectorTest, HybridSocketIsHandedOutAfterItsAnswer) {
  const UniqueFd server = StartHybrid();
  for (const char c : std::string("OK 7")) {
    Write(server, {&c, 1});
    RunReady();
    EXPECT_EQ(Told(), "nothing");
  }
  Write(server, "\n");
  EXPECT_EQ(Wait(), "connected");
}

// These bytes are the port's first message.
TEST_F(ConnectorTest, WhatFollowsTheAnswerOfAHybridSocketIsStillThere) {
  const UniqueFd server = StartHybrid();
  Write(server, "OK 7\nOK 8\nand more");
  ASSERT_EQ(Wait(), "connected");
  EXPECT_EQ(Read(**outcome_, 13), "OK 8\nand more");
}

TEST_F(ConnectorTest, HybridSocketThatRefuses) {
  for (const bool within : {false, true}) {
    SCOPED_TRACE(within);
    UniqueFd server = StartHybrid();
    if (within) Write(server, "OK 7");
    server.reset();
    EXPECT_EQ(Wait(), "UNAVAILABLE: the port was refused");
    ASSERT_EQ(::unlink((folder_ / "s").c_str()), 0);
  }
}

TEST_F(ConnectorTest, HybridSocketThatIsGoneWithBytesUnread) {
  Listen();
  ASSERT_FALSE(Start(Hybrid()));
  Accept().reset();
  EXPECT_EQ(Wait(), "UNAVAILABLE: Connection reset by peer");
}

TEST_F(ConnectorTest, HybridSocketThatAnswersSomethingElse) {
  for (const std::string_view answer : {"ERR\n", "OK 11111111111111111111111111111111111111"}) {
    const UniqueFd server = StartHybrid();
    Write(server, answer);
    EXPECT_EQ(Wait(), "UNKNOWN: the answer is not OK");
    ASSERT_EQ(::unlink((folder_ / "s").c_str()), 0);
  }
}

TEST_F(ConnectorTest, HybridSocketThatIsSilentIsWaitedForUntilTheTimeout) {
  const UniqueFd server = StartHybrid({.timeout = milliseconds(5)});
  Write(server, "OK");
  EXPECT_EQ(Wait(), "DEADLINE_EXCEEDED: timed out waiting for an answer");
  EXPECT_EQ(Read(server, 1), "") << "the socket is closed";
}

TEST_F(ConnectorTest, StoppedItTellsNothing) {
  const UniqueFd server = StartHybrid({.timeout = milliseconds(1)});
  Write(server, "OK 7\n");
  connector_.Stop();
  EXPECT_EQ(Read(server, 1), "");
  Timer later(loop_.io(), [this] { outcome_ = Status(StatusCode::kAborted, "later"); });
  later.Start(milliseconds(5));
  EXPECT_EQ(Wait(), "ABORTED: later");
}

TEST_F(ConnectorTest, MayBeStartedAnewWhenItTells) {
  Listen();
  std::optional<Connector::Outcome> second;
  std::unique_ptr<Connector> connector;
  connector = std::make_unique<Connector>(loop_.io(), [&](Connector::Outcome outcome) {
    ASSERT_FALSE(outcome.has_value());
    second = connector->Start(Unix());
  });
  ASSERT_FALSE(connector->Start(Hybrid()).has_value());
  Accept().reset();
  ::test::RunUntil(loop_, [&second] { return second.has_value(); });
  EXPECT_TRUE(second->has_value());
}

class FakeVsockTest : public ConnectorTest {
 protected:
  FakeVsockTest() : tcp_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* raw = reinterpret_cast<sockaddr*>(&any);
    socklen_t length = sizeof any;
    EXPECT_EQ(::bind(tcp_.get(), raw, length), 0);
    EXPECT_EQ(::getsockname(tcp_.get(), raw, &length), 0);
    fake_vsock = any.sin_port;
  }
  ~FakeVsockTest() override { fake_vsock.reset(); }

  static Address Vsock() { return *Address::Parse("vsock:3:1024"); }

  const UniqueFd tcp_;
};

TEST_F(FakeVsockTest, ConnectsInTwoStepsAndIsNotChecked) {
  ASSERT_EQ(::listen(tcp_.get(), 10), 0);
  ASSERT_FALSE(Start(Vsock(), {.check = [](int) {
                       ADD_FAILURE() << "vsock peers have no credentials";
                       return Status();
                     }}));
  ASSERT_EQ(Wait(), "connected");
  const UniqueFd server(::accept(tcp_.get(), nullptr, nullptr));
  Write(server, "x");
  EXPECT_EQ(Read(**outcome_, 1), "x");
}

TEST_F(FakeVsockTest, PortThatIsRefused) {
  ASSERT_FALSE(Start(Vsock()));
  EXPECT_EQ(Wait(), "UNAVAILABLE: Connection refused");
}

// The test uses the kernel's own vsock as far as this machine has it. Nobody listens on that port.
TEST_F(ConnectorTest, VsockNeverWaitsInTheKernel) {
  const Address address = *Address::Parse("vsock:1:4294967294");
  const bool at_once = Start(address, {.timeout = milliseconds(50)});
  EXPECT_EQ(at_once, outcome_.has_value());
  const std::string told = Wait();
  EXPECT_NE(told, "connected");
  EXPECT_NE(told, "nothing");
}

// This test needs the module vsock_loopback.
TEST_F(ConnectorTest, VsockLoopbackWhereThereIsOne) {
  const UniqueFd listener(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_vm where = {};
  where.svm_family = AF_VSOCK;
  where.svm_cid = VMADDR_CID_LOCAL;
  where.svm_port = VMADDR_PORT_ANY;
  auto* raw = reinterpret_cast<sockaddr*>(&where);
  socklen_t length = sizeof where;
  if (!listener || ::bind(listener.get(), raw, length) != 0) {
    EXPECT_TRUE(errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL || errno == EPERM) << errno;
    return;
  }
  ASSERT_EQ(::getsockname(listener.get(), raw, &length), 0);
  ASSERT_EQ(::listen(listener.get(), 10), 0);
  Start(*Address::Parse("vsock:1:" + std::to_string(where.svm_port)));
  EXPECT_EQ(Wait(), "connected");
}

}  // namespace
}  // namespace ttrpc
