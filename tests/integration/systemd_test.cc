// SPDX-License-Identifier: Apache-2.0
//
// The daemon under systemd: sockets that exist before it, and its notifications. The test plays
// systemd.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>

#include "harness/proxy_test.h"

namespace integration {
namespace {

// The socket to which a service sends its notifications.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path) : socket_(Bind(path, SOCK_DGRAM)), path_(path) {
    EXPECT_TRUE(socket_.valid());
  }
  std::string environment() const { return "NOTIFY_SOCKET=" + path_; }

  // Returns the next message; the test fails if none comes.
  std::string Next() const {
    if (!WaitUntilReadable(socket_.get())) return "none";
    char bytes[4096];
    const ssize_t n = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    return n < 0 ? "none" : std::string(bytes, static_cast<size_t>(n));
  }
  bool quiet() const {
    pollfd entry = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, 0) == 0;
  }

 private:
  const ttrpc::UniqueFd socket_;
  const std::string path_;
};

ttrpc::UniqueFd Listening(const std::string& path) {
  ttrpc::UniqueFd socket = Bind(path);
  EXPECT_EQ(::listen(socket.get(), 100), 0);
  EXPECT_EQ(::chmod(path.c_str(), 0666), 0);
  return socket;
}

class SystemdTest : public ProxyTest {
 protected:
  // The configuration has a listener "passed" at systemd:shims beside the usual one.
  void StartIn(const DaemonSurroundings& surroundings) {
    WriteConfig({.rules = std::string(kDefaultRules) +
                          "[[listener]]\nname = \"passed\"\naddress = \"systemd:shims\"\n"});
    StartBackend();
    daemon_ = std::make_unique<DaemonProcess>(Args(), surroundings);
  }
  // Expects that the daemon writes `why` and exits 1.
  void ExpectFailure(const DaemonSurroundings& surroundings, const std::string& why) {
    StartIn(surroundings);
    EXPECT_EQ(daemon_->WaitForExit(), 1);
    EXPECT_THAT(daemon_->log(), ::testing::HasSubstr(why));
    daemon_.reset();
  }
  std::vector<std::string> Args() const {
    return {"--config", config_path(), "--log-level", "debug"};
  }
  std::string passed_path() const { return folder_ / "passed.sock"; }
};

TEST_F(SystemdTest, ServesTheSocketsThatItIsPassed) {
  const std::string second = folder_ / "second.sock";
  const ttrpc::UniqueFd one = Listening(passed_path());
  const ttrpc::UniqueFd two = Listening(second);
  // A client that connects before the daemon runs waits.
  RawPeer early(passed_path());
  EXPECT_TRUE(early.Send(Echo(1)));
  StartIn({.sockets = {{"shims", one.get()}, {"shims", two.get()}}});
  EXPECT_EQ(early.Receive(), Response(1, "echo"));
  RawPeer peer(second);
  ExpectEcho(peer, 1);
  // The kernel authenticates the peer, as on any other socket.
  RawPeer(passed_path(), {.uid = 40001, .gid = 40001}).ExpectEnd();
}

// The service manager owns passed sockets: a client that connects after the daemon's end waits for
// the next daemon.
TEST_F(SystemdTest, PassedSocketsStayWhenItDrains) {
  const ttrpc::UniqueFd socket = Listening(passed_path());
  StartIn({.sockets = {{"shims", socket.get()}}});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  RawPeer waiting(passed_path());
  EXPECT_TRUE(waiting.Send(Echo(1)));
  StartIn({.sockets = {{"shims", socket.get()}}});
  EXPECT_EQ(waiting.Receive(), Response(1, "echo"));
}

// systemd passes the socket only once, so the daemon keeps it when a reload removes its listener.
TEST_F(SystemdTest, AListenerThatAReloadRemovedCanComeBack) {
  const ttrpc::UniqueFd socket = Listening(passed_path());
  StartIn({.sockets = {{"shims", socket.get()}}});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  RawPeer peer(passed_path());
  ExpectEcho(peer, 1);
  WriteConfig({});
  Reload("reloaded: ");
  ExpectEcho(peer, 3);
  RawPeer waiting(passed_path());
  EXPECT_TRUE(waiting.Send(Echo(1)));
  WriteConfig({.rules = std::string(kDefaultRules) +
                        "[[listener]]\nname = \"passed\"\naddress = \"systemd:shims\"\n"});
  Reload("reloaded: ");
  EXPECT_EQ(waiting.Receive(), Response(1, "echo"));
  ExpectEcho(peer, 5);
}

TEST_F(SystemdTest, WhatCannotBeAListenerIsRefused) {
  const std::string missing =
      "listener \"passed\": no socket was passed with FileDescriptorName=shims; set it in the "
      ".socket unit, then restart that unit and the service\n";
  ExpectFailure({}, missing);
  const ttrpc::UniqueFd other = Listening(folder_ / "other.sock");
  ExpectFailure({.sockets = {{"other", other.get()}}}, missing);
  const ttrpc::UniqueFd datagrams = Bind(folder_ / "datagrams.sock", SOCK_DGRAM);
  ExpectFailure({.sockets = {{"shims", datagrams.get()}}},
                "listener \"passed\": systemd:shims: not a Unix stream socket");
  const ttrpc::UniqueFd idle = Bind(folder_ / "idle.sock");
  ExpectFailure({.sockets = {{"shims", idle.get()}}},
                "listener \"passed\": systemd:shims: the socket does not listen");
}

TEST_F(SystemdTest, ASocketThatIsNoListenersIsClosedAloud) {
  const ttrpc::UniqueFd socket = Listening(passed_path());
  const ttrpc::UniqueFd other = Listening(folder_ / "other.sock");
  StartIn({.sockets = {{"other", other.get()}, {"shims", socket.get()}}});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  EXPECT_THAT(daemon_->log(),
              ::testing::HasSubstr("socket with FileDescriptorName=other: closed; no listener "
                                   "uses it\n"));
}

TEST_F(SystemdTest, SaysThatItIsReadyOnceAllListenersListenAndThatItStops) {
  const NotifySocket notify(folder_ / "notify.sock");
  const ttrpc::UniqueFd socket = Listening(passed_path());
  StartIn({.environment = {notify.environment()}, .sockets = {{"shims", socket.get()}}});
  EXPECT_EQ(notify.Next(), "READY=1\nSTATUS=2 listeners, 2 rules, 1 backends");
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  EXPECT_TRUE(notify.quiet());
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(notify.Next(), "STOPPING=1\nSTATUS=draining");
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

// systemd waits for READY=1 after every outcome.
TEST_F(SystemdTest, SaysThatItReloadsAndWhatCameOfIt) {
  const NotifySocket notify(folder_ / "notify.sock");
  const ttrpc::UniqueFd socket = Listening(passed_path());
  StartIn({.environment = {notify.environment()}, .sockets = {{"shims", socket.get()}}});
  EXPECT_EQ(notify.Next(), "READY=1\nSTATUS=2 listeners, 2 rules, 1 backends");
  RawPeer peer(passed_path());
  ExpectEcho(peer, 1);
  daemon_->Signal(SIGHUP);
  EXPECT_THAT(notify.Next(), ::testing::MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+"));
  EXPECT_EQ(notify.Next(), "READY=1\nSTATUS=2 listeners, 2 rules, 1 backends");
  ExpectEcho(peer, 3);  // the daemon keeps the passed socket and its peers
  RawPeer other(passed_path());
  ExpectEcho(other, 1);
  WriteFile(config_path(), "nothing");
  daemon_->Signal(SIGHUP);
  EXPECT_THAT(notify.Next(), ::testing::StartsWith("RELOADING=1\n"));
  EXPECT_EQ(notify.Next(),
            "READY=1\nSTATUS=2 listeners, 2 rules, 1 backends; the last reload was refused");
  ExpectEcho(other, 3);
}

TEST_F(SystemdTest, ADaemonThatCannotListenIsNeverReady) {
  const NotifySocket notify(folder_ / "notify.sock");
  ExpectFailure({.environment = {notify.environment()}}, "listener \"passed\"");
  EXPECT_TRUE(notify.quiet());
}

TEST_F(SystemdTest, FeedsTheWatchdogWhileItsLoopTurns) {
  const NotifySocket notify(folder_ / "notify.sock");
  const ttrpc::UniqueFd socket = Listening(passed_path());
  StartIn({.environment = {notify.environment(), "WATCHDOG_USEC=20000"},
           .sockets = {{"shims", socket.get()}}});
  EXPECT_THAT(notify.Next(), ::testing::StartsWith("READY=1"));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(notify.Next(), "WATCHDOG=1");
}

}  // namespace
}  // namespace integration
