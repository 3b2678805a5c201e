// SPDX-License-Identifier: Apache-2.0
//
// Dialling a backend: a port of a virtual machine, several addresses, and a socket that does not
// exist yet. No other peer waits meanwhile.
#include <gtest/gtest.h>
#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <memory>

#include "harness/proxy_test.h"

namespace integration {
namespace {

const Call kHold = {.method = "Hold"};

class DiallingTest : public ProxyTest {
 protected:
  static void ExpectUnreachable(RawPeer& peer, uint32_t id) {
    EXPECT_THAT(peer.Exchange(Echo(id)),
                IsStatus(id, StatusCode::kUnavailable, "backend \"back\" cannot be reached"));
  }
  // Expects the log to name this address and this reason.
  void ExpectFailed(const std::string& address, const std::string& why) const {
    const std::string text = "backend \"back\" (" + address + ") cannot be reached: " + why;
    daemon_->WaitForLines(
        1, [&text](const std::string& line) { return line.find(text) != std::string::npos; });
  }
};

// ---- Hybrid vsock: a Unix socket of a virtual machine monitor.

class HybridVsockTest : public DiallingTest {
 protected:
  // Starts a monitor that reads the request for the port, and then calls `answer`.
  void StartMonitor(std::function<bool(int fd)> answer, const std::string& keys = "",
                    const Identity& owner = {}) {
    Start({.backend = "address = \"" + address() + "\"\n" + keys,
           .server = {.owner = owner, .greet = [answer](int fd) {
                        bool timed_out = false;
                        EXPECT_EQ(ReadUpTo(fd, 13, &timed_out), "CONNECT 1024\n");
                        return answer(fd);
                      }}});
  }
  std::string address() const { return "hvsock://" + back_path() + ":1024"; }
};

TEST_F(HybridVsockTest, CallsGoToThePort) {
  StartMonitor([](int fd) { return SendAll(fd, "OK 1073741824\n"); });
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  ExpectEcho(peer, 3);
  EXPECT_EQ(backend_->WaitForMessages(0, 2), std::vector({Echo(1), Echo(3)}));
  RawPeer other = Peer();
  ExpectEcho(other, 1);
  EXPECT_EQ(backend_->connections(), 2U);
}

TEST_F(HybridVsockTest, AnswerThatComesByteByByte) {
  StartMonitor([](int fd) {
    for (const char c : std::string("OK 1073741824\n")) {
      if (!SendAll(fd, {&c, 1})) return false;
      WaitUntilTaken(fd);
    }
    return true;
  });
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
}

TEST_F(HybridVsockTest, WhatTheBackendSendsWithTheAnswerIsItsFirstMessage) {
  StartMonitor([](int fd) { return SendAll(fd, "OK 7\n" + Encode(Response(1, "eager"))); });
  RawPeer peer = Peer();
  EXPECT_EQ(peer.Exchange(Request(1, kHold)), Response(1, "eager"));
  ExpectEcho(peer, 3);
}

TEST_F(HybridVsockTest, PortThatIsRefused) {
  StartMonitor([](int) { return false; });
  RawPeer peer = Peer();
  ExpectUnreachable(peer, 1);
  ExpectFailed(address(), "the port was refused");
}

TEST_F(HybridVsockTest, AnswerThatIsNoneOrHasNoEnd) {
  for (const std::string& answer : {std::string("NO\n"), "OK " + std::string(1 << 20, '1')}) {
    StartMonitor([answer](int fd) {
      SendAll(fd, answer);
      return true;
    });
    RawPeer peer = Peer();
    ExpectUnreachable(peer, 1);
    ExpectFailed(address(), "the answer is not OK");
    EXPECT_EQ(backend_->WaitForEnd(0), std::vector<WireMessage>());
    peer.Close();
    TearDown();
  }
}

TEST_F(HybridVsockTest, SilenceEndsWithTheConnectTimeout) {
  StartMonitor([](int fd) { return SendAll(fd, "OK"); }, "connect_timeout = \"100ms\"\n");
  RawPeer peer = Peer();
  ExpectUnreachable(peer, 1);
  ExpectFailed(address(), "timed out waiting for an answer");
  EXPECT_EQ(backend_->WaitForEnd(0), std::vector<WireMessage>());
}

// The monitor receives nothing, not even the request for the port.
TEST_F(HybridVsockTest, MonitorOfAnotherUserGetsNothing) {
  Start({.backend = "address = \"" + address() + "\"\n",
         .server = {.owner = {.uid = 1234, .gid = 0}}});
  RawPeer peer = Peer();
  ExpectUnreachable(peer, 1);
  ExpectFailed(address(), "uid 1234 listens there, but it is not in users");
  EXPECT_EQ(backend_->WaitForEnd(0), std::vector<WireMessage>());
}

// While the machine boots, its monitor listens but the agent in it does not.
TEST_F(HybridVsockTest, PortThatIsRefusedIsWaitedFor) {
  auto refusals = std::make_shared<std::atomic<int>>(0);
  StartMonitor([refusals](int fd) { return ++*refusals > 2 && SendAll(fd, "OK 1073741824\n"); },
               "wait = \"20s\"\n");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  EXPECT_EQ(*refusals, 3);
}

// ---- vsock

// This holds on any machine: without vsock, without anyone at that address, and with a loopback
// where nobody uses that port.
TEST_F(DiallingTest, VsockThatCannotBeReached) {
  Start({.backend = "address = \"vsock:1:4294967294\"\nconnect_timeout = \"100ms\"\n"});
  RawPeer peer = Peer();
  ExpectUnreachable(peer, 1);
  ExpectFailed("vsock:1:4294967294", "");
}

TEST_F(DiallingTest, VsockWhereThereIsALoopback) {
  ttrpc::UniqueFd listener(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
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
  Start({.backend = "address = \"vsock:1:" + std::to_string(where.svm_port) + "\"\n"});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Echo(1)));
  ASSERT_TRUE(WaitUntilReadable(listener.get()));
  const ttrpc::UniqueFd backend(::accept(listener.get(), nullptr, nullptr));
  bool timed_out = false;
  const std::string expected = Encode(Echo(1));
  EXPECT_EQ(ReadUpTo(backend.get(), expected.size(), &timed_out), expected);
  EXPECT_TRUE(SendAll(backend.get(), Encode(Response(1, "from afar"))));
  EXPECT_EQ(peer.Receive(), Response(1, "from afar"));
}

// ---- Several addresses

class AddressesTest : public DiallingTest {
 protected:
  void StartWith(const std::string& keys) {
    Start({.backend = "addresses = [\"" + address("a") + "\", \"" + address("b") + "\"]\n" + keys});
  }
  std::string address(const std::string& name) const { return "unix://" + (folder_ / name); }
  void Listen(const std::string& name) {
    servers_[name] = std::make_unique<RecordingBackend>(folder_ / name);
  }
  // Makes the first call of a new peer, and returns which backend received it.
  std::string Served() {
    std::map<std::string, size_t> before;
    for (const auto& [name, server] : servers_) before[name] = server->connections();
    RawPeer peer = Peer();
    const std::optional<WireMessage> answer = peer.Exchange(Echo(1));
    if (answer != Response(1, "echo")) return "nobody";
    std::string served;
    for (const auto& [name, server] : servers_) {
      if (server->connections() > before[name]) served += name;
    }
    return served;
  }

  std::map<std::string, std::unique_ptr<RecordingBackend>> servers_;
};

TEST_F(AddressesTest, FirstAvailable) {
  StartWith("");
  EXPECT_EQ(Served(), "nobody");
  ExpectFailed(address("a"), "No such file or directory");
  ExpectFailed(address("b"), "No such file or directory");
  Listen("b");
  EXPECT_EQ(Served(), "b");
  Listen("a");
  EXPECT_EQ(Served(), "a");
  EXPECT_EQ(Served(), "a");
  servers_.erase("a");
  EXPECT_EQ(Served(), "b");
}

TEST_F(AddressesTest, RoundRobin) {
  StartWith("balance = \"round-robin\"\n");
  Listen("a");
  Listen("b");
  for (const char* expected : {"a", "b", "a", "b"}) EXPECT_EQ(Served(), expected);
  servers_.erase("a");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Served(), "b");
  ExpectFailed(address("a"), "No such file or directory");
  Listen("a");
  EXPECT_EQ(Served(), "b");
  EXPECT_EQ(Served(), "a");
}

TEST_F(AddressesTest, ConnectionsStayWhereTheyAre) {
  StartWith("");
  Listen("b");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  Listen("a");
  ExpectEcho(peer, 3);
  EXPECT_EQ(servers_["b"]->WaitForMessages(0, 2).size(), 2U);
}

TEST_F(AddressesTest, OneOfSomebodyElseIsPassedOver) {
  StartWith("");
  servers_["a"] = std::make_unique<RecordingBackend>(
      folder_ / "a", RecordingBackend::Options{.owner = {.uid = 1234, .gid = 0}});
  Listen("b");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  EXPECT_EQ(servers_["a"]->WaitForEnd(0), std::vector<WireMessage>());
  ExpectFailed(address("a"), "uid 1234 listens there, but it is not in users");
}

TEST_F(AddressesTest, OneThatDoesNotAcceptIsPassedOverAfterItsTimeout) {
  StartWith("connect_timeout = \"100ms\"\n");
  const ttrpc::UniqueFd full = Bind(folder_ / "a");
  ASSERT_EQ(::listen(full.get(), 0), 0);
  const ttrpc::UniqueFd waiting = Connect(folder_ / "a");
  ASSERT_TRUE(waiting);
  Listen("b");
  EXPECT_EQ(Served(), "b");
  ExpectFailed(address("a"), "timed out waiting to be accepted");
}

// ---- wait

class WaitTest : public DiallingTest {
 protected:
  // Starts the daemon with these keys and without a backend.
  void StartAlone(const std::string& keys, const std::string& head = "") {
    Start({.head = head, .backend = keys});
    backend_.reset();
  }
};

TEST_F(WaitTest, CallsAreQueuedUntilTheSocketAppears) {
  StartAlone("wait = \"20s\"\n");
  RawPeer peer = Peer();
  const std::string stream =
      Encode({Request(3, {.service = "test.Stream", .method = "Hold"}, kOpen), Data(3, "one"),
              Data(3, "two")});
  EXPECT_TRUE(peer.Send(Encode(Echo(1)) + stream));
  peer.WaitUntilTaken();
  StartBackend();
  EXPECT_EQ(peer.Receive(), Response(1, "echo"));
  const auto messages = backend_->WaitForMessages(0, 4);
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[2], Data(3, "one"));
  EXPECT_EQ(messages[3], Data(3, "two"));
  EXPECT_EQ(backend_->connections(), 1U);
}

TEST_F(WaitTest, SocketThatRefusesIsWaitedFor) {
  StartAlone("wait = \"20s\"\n");
  const ttrpc::UniqueFd bound = Bind(back_path());
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Echo(1)));
  ExpectFailed("unix://" + back_path(), "Connection refused");
  ASSERT_EQ(::listen(bound.get(), 10), 0);
  ASSERT_TRUE(WaitUntilReadable(bound.get()));
  const ttrpc::UniqueFd backend(::accept(bound.get(), nullptr, nullptr));
  EXPECT_TRUE(SendAll(backend.get(), Encode(Response(1, "at last"))));
  EXPECT_EQ(peer.Receive(), Response(1, "at last"));
}

TEST_F(WaitTest, AfterItCallsAreUnavailable) {
  StartAlone("wait = \"50ms\"\n");
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Encode({Echo(1), Echo(3)})));
  std::vector<uint32_t> failed;
  for (int i = 0; i < 2; ++i) {
    const std::optional<WireMessage> answer = peer.Receive();
    ASSERT_TRUE(answer.has_value());
    failed.push_back(answer->stream_id);
    EXPECT_THAT(answer, IsStatus(failed.back(), StatusCode::kUnavailable,
                                 "backend \"back\" cannot be reached"));
  }
  EXPECT_THAT(failed, ::testing::UnorderedElementsAre(1, 3));
  StartBackend();
  ExpectEcho(peer, 5);
}

TEST_F(WaitTest, DeadlineOfACallEndsItEarlier) {
  StartAlone("wait = \"1h\"\n");
  RawPeer peer = Peer();
  EXPECT_THAT(peer.Exchange(Request(1, {.timeout_nano = 30'000'000})),
              IsStatus(1, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
}

TEST_F(WaitTest, PeerThatGoesEndsIt) {
  StartAlone("wait = \"1h\"\n");
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kHold)));
  peer.WaitUntilTaken();
  peer.HalfClose();
  peer.ExpectEnd();
  StartBackend();
  RawPeer other = Peer();
  ExpectEcho(other, 1);
  EXPECT_EQ(backend_->connections(), 1U);
}

TEST_F(WaitTest, DrainEndsIt) {
  StartAlone("wait = \"1h\"\n", "[daemon]\ndrain_timeout = \"100ms\"\n");
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, kHold)));
  peer.WaitUntilTaken();
  daemon_->Signal(SIGTERM);
  EXPECT_THAT(peer.Receive(), IsStatus(1, StatusCode::kUnavailable, "draining"));
  peer.ExpectEnd();
}

// A socket that does not exist cannot stall a write. The deadline of the other call measures the
// time.
TEST_F(WaitTest, WriteTimeoutDoesNotCount) {
  StartAlone("wait = \"20s\"\n", "[timeouts]\nwrite = \"20ms\"\n");
  RawPeer peer = Peer();
  RawPeer clock = Peer();
  EXPECT_TRUE(peer.Send(Echo(1)));
  peer.WaitUntilTaken();
  EXPECT_THAT(clock.Exchange(Request(1, {.method = "Hold", .timeout_nano = 300'000'000})),
              IsStatus(1, StatusCode::kDeadlineExceeded, "context deadline exceeded"));
  StartBackend();
  EXPECT_EQ(peer.Receive(), Response(1, "echo"));
}

TEST_F(WaitTest, WhatIsQueuedMeanwhileIsBounded) {
  StartAlone("wait = \"1h\"\n");
  RawPeer peer = Peer();
  std::string bytes = Encode(Request(1, {.service = "test.Stream", .method = "Hold"}, kOpen));
  constexpr size_t kMessages = 64;
  const WireMessage big = Data(1, std::string(512 << 10, 'x'));
  for (size_t i = 0; i < kMessages; ++i) bytes += Encode(big);
  size_t sent = 0;
  EXPECT_FALSE(SendAll(peer.fd(), bytes, &sent, std::chrono::milliseconds(300)));
  EXPECT_LT(sent, size_t{4} << 20);
  StartBackend({.script = Silent});
  EXPECT_TRUE(peer.Send(std::string_view(bytes).substr(sent)));
  const auto messages = backend_->WaitForMessages(0, kMessages + 1);
  ASSERT_EQ(messages.size(), kMessages + 1);
  for (size_t i = 1; i <= kMessages; ++i) ASSERT_EQ(messages[i], big);
}

TEST_F(WaitTest, QueuedBytesCountForTheirUser) {
  StartAlone("wait = \"1h\"\n",
             "[limits]\nmessage_size = \"64KiB\"\nbuffered_per_user = \"64KiB\"\n");
  RawPeer peer = Peer();
  std::string bytes;
  for (uint32_t id = 1; id < 9; id += 2)
    bytes += Encode(Request(id, {.payload = std::string(60 << 10, 'x')}));
  peer.Send(bytes);
  // The requests are more than twice the limit. The peer is closed for what comes in one read; of
  // several reads the later ones are refused first.
  while (const std::optional<WireMessage> answer = peer.Receive()) {
    EXPECT_THAT(answer, IsStatus(answer->stream_id, StatusCode::kResourceExhausted,
                                 "limit buffered_per_user = 64KiB reached"));
  }
}

// ---- Dead backends do not affect other peers.

TEST_F(DiallingTest, OthersAreServedWhileDeadOnesAreDialled) {
  const auto table = [](const std::string& name, const std::string& keys) {
    return "[[backend]]\nname = \"" + name + "\"\nconnect_timeout = \"1h\"\n" + keys +
           "[[rule]]\nname = \"" + name + "\"\nusers = [\"root\"]\nmethods = [\"/test." + name +
           "/*\"]\naction = \"allow\"\nbackend = \"" + name + "\"\n";
  };
  // One backend has a full accept queue, one never answers, one is far away, and one does not
  // exist.
  const ttrpc::UniqueFd full = Bind(folder_ / "full");
  ASSERT_EQ(::listen(full.get(), 0), 0);
  const ttrpc::UniqueFd waiting = Connect(folder_ / "full");
  ASSERT_TRUE(waiting);
  RecordingBackend silent(folder_ / "silent", {.script = Silent});
  Start(
      {.rules = std::string(kDefaultRules) +
                table("Full", "address = \"unix://" + (folder_ / "full") + "\"\n") +
                table("Mute", "address = \"hvsock://" + (folder_ / "silent") + ":1\"\n") +
                table("Far", "address = \"vsock:1:4294967294\"\n") +
                table("Late", "wait = \"1h\"\naddress = \"unix://" + (folder_ / "late") + "\"\n")});
  RawPeer peer = Peer();
  uint32_t id = 1;
  for (const char* dead : {"Full", "Mute", "Far", "Late"}) {
    EXPECT_TRUE(peer.Send(Request(id, {.service = std::string("test.") + dead})));
    id += 2;
  }
  silent.WaitForConnections(1);
  // The peer that called them is not held up, nor is any other.
  RawPeer other = Peer();
  for (; id < 100; id += 2) {
    EXPECT_TRUE(peer.Send(Echo(id)));
    auto answer = peer.Receive();
    // On a machine without vsock that call fails at once.
    if (answer && answer->stream_id == 5) answer = peer.Receive();
    EXPECT_EQ(answer, Response(id, "echo"));
    ExpectEcho(other, id);
  }
}

}  // namespace
}  // namespace integration
