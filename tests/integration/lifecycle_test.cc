// SPDX-License-Identifier: Apache-2.0
//
// The life of the daemon from start to end: the listener's socket, and how the daemon drains and
// exits.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using ::testing::HasSubstr;

class ListenerTest : public ProxyTest {
 protected:
  struct stat Front() const {
    struct stat out = {};
    EXPECT_EQ(::lstat(front_path().c_str(), &out), 0);
    return out;
  }

  void Stop() {
    daemon_->Signal(SIGTERM);
    EXPECT_EQ(daemon_->WaitForExit(), 0);
  }

  // Expects a start to fail because of the file at the listener's path.
  void ExpectStartFails() {
    const CommandResult result = RunDaemon({"--config", config_path()});
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.err, HasSubstr(front_path()));
  }
};

TEST_F(ListenerTest, ModeOwnerAndGroupAreAsConfigured) {
  Start({.listener = "mode = \"0640\"\nowner = \"1234\"\ngroup = \"4321\"\n"});
  const struct stat front = Front();
  EXPECT_TRUE(S_ISSOCK(front.st_mode));
  EXPECT_EQ(front.st_mode & 07777, 0640U);
  EXPECT_EQ(front.st_uid, 1234U);
  EXPECT_EQ(front.st_gid, 4321U);
}

TEST_F(ListenerTest, OnlyItsOwnerMayConnectByDefault) {
  Start({.listener = "# mode = its default\n"});
  EXPECT_EQ(Front().st_mode & 07777, 0600U);
  EXPECT_EQ(Front().st_uid, 0U);
  RunAs({.uid = 1234, .gid = 0}, [this] {
    EXPECT_FALSE(Connect(front_path()));
    EXPECT_EQ(errno, EACCES);
  });
}

TEST_F(ListenerTest, SocketIsRemovedAtExitAndNothingIsLeftButTheLock) {
  Start();
  Stop();
  EXPECT_FALSE(std::filesystem::exists(front_path()));
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    EXPECT_FALSE(entry.is_socket() && entry.path() != back_path()) << entry.path();
  }
}

TEST_F(ListenerTest, StaleSocketIsReplaced) {
  WriteConfig({});
  ttrpc::UniqueFd stale = Bind(front_path());
  ASSERT_EQ(::listen(stale.get(), 1), 0);
  stale.reset();
  const ino_t inode = Front().st_ino;
  StartBackend();
  StartDaemon();
  EXPECT_NE(Front().st_ino, inode);
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
}

TEST_F(ListenerTest, SocketOfAKilledDaemonIsReplaced) {
  Start();
  daemon_->Signal(SIGKILL);
  EXPECT_EQ(daemon_->WaitForExit(), 128 + SIGKILL);
  EXPECT_TRUE(std::filesystem::exists(front_path()));
  StartDaemon();
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
}

// The daemon has to find out whether anybody listens there, without root's power over all files.
TEST_F(ListenerTest, SocketOfAKilledDaemonAndAnotherOwnerIsReplaced) {
  Start({.listener = "owner = \"daemon\"\n"});
  const auto start_after_kill = [this] {
    daemon_->Signal(SIGKILL);
    ASSERT_EQ(daemon_->WaitForExit(), 128 + SIGKILL);
    ASSERT_TRUE(std::filesystem::exists(front_path()));
    StartDaemon();
    RawPeer peer = Peer();
    ExpectEcho(peer, 1);
  };
  start_after_kill();
  // The configuration may have given it another owner before.
  WriteConfig({});
  start_after_kill();
}

TEST_F(ListenerTest, LiveSocketOfAnotherDaemonIsNotStolen) {
  Start();
  const ino_t inode = Front().st_ino;
  ExpectStartFails();
  EXPECT_EQ(Front().st_ino, inode);
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
}

TEST_F(ListenerTest, LiveSocketOfAnotherProgramIsNotStolen) {
  WriteConfig({});
  RecordingBackend other(front_path());
  const ino_t inode = Front().st_ino;
  ExpectStartFails();
  EXPECT_EQ(Front().st_ino, inode);
}

TEST_F(ListenerTest, FileThatIsNoSocketIsNotReplaced) {
  WriteConfig({});
  WriteFile(front_path(), "precious");
  ExpectStartFails();
  EXPECT_EQ(ReadFile(front_path()), "precious");
}

TEST_F(ListenerTest, FolderThatIsNotThereIsABadConfiguration) {
  WriteConfig({.rules = std::string(kDefaultRules) +
                        "[[listener]]\nname = \"lost\"\naddress = \"unix://" +
                        (folder_ / "no/such/folder.sock") + "\"\n"});
  const CommandResult result = RunDaemon({"--config", config_path()});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, HasSubstr(folder_ / "no/such/folder.sock"));
  EXPECT_FALSE(std::filesystem::exists(front_path())) << "the other listener's socket is left";
}

TEST_F(ListenerTest, SocketThatAnotherPutThereIsNotRemovedAtExit) {
  Start();
  ASSERT_EQ(::unlink(front_path().c_str()), 0);
  RecordingBackend successor(front_path());
  const ino_t inode = Front().st_ino;
  Stop();
  EXPECT_EQ(Front().st_ino, inode);
}

TEST_F(ListenerTest, LongestPathWorks) {
  const std::string path = folder_ / std::string(107 - folder_.path().size() - 1, 'p');
  ASSERT_EQ(path.size(), 107U);
  Start({.rules = std::string(kDefaultRules) +
                  "[[listener]]\nname = \"long\"\naddress = \"unix://" + path + "\"\n"});
  RawPeer peer(path);
  ExpectEcho(peer, 1);
}

TEST_F(ListenerTest, AbstractListenerWorks) {
  const std::string name = "ttrpc-proxy-test-" + std::to_string(::getpid());
  Start({.rules = std::string(kDefaultRules) +
                  "[[listener]]\nname = \"abstract\"\naddress = \"unix-abstract:" + name + "\"\n"});
  RawPeer peer("@" + name);
  ExpectEcho(peer, 1);
}

class DrainTest : public ProxyTest {
 protected:
  // Starts with two peers, the second with a call in flight, and sends SIGTERM, which closes the
  // first.
  void StartDraining(const Scene& scene = {}) {
    Start(scene);
    RawPeer idle = Peer();
    ExpectEcho(idle, 1);
    busy_.emplace(Peer());
    EXPECT_TRUE(busy_->Send(Request(1, {.method = "Hold"})));
    backend_->WaitForMessages(1, 1);
    daemon_->Signal(SIGTERM);
    idle.ExpectEnd();
  }

  std::optional<RawPeer> busy_;
};

TEST_F(DrainTest, CallInFlightFinishesAndTheSocketIsGoneAtOnce) {
  StartDraining();
  EXPECT_FALSE(std::filesystem::exists(front_path()));
  EXPECT_THAT(busy_->Exchange(Echo(3)), IsStatus(3, StatusCode::kUnavailable, "draining"));
  EXPECT_TRUE(backend_->Send(1, Response(1, "finished")));
  EXPECT_EQ(busy_->Receive(), Response(1, "finished"));
  busy_->ExpectEnd();
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  EXPECT_EQ(backend_->WaitForEnd(1).size(), 1U);
}

// The sockets of [admin] and [metrics] close, too, so that the next daemon can start meanwhile.
TEST_F(DrainTest, AnotherDaemonCanStartMeanwhile) {
  const std::string head = "[daemon]\ndrain_timeout = \"1h\"\n[admin]\naddress = \"unix://" +
                           (folder_ / "admin.sock") + "\"\n[metrics]\naddress = \"unix://" +
                           (folder_ / "metrics.sock") + "\"\n";
  StartDraining({.head = head});
  const std::unique_ptr<DaemonProcess> old = std::move(daemon_);
  StartDaemon();
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  EXPECT_TRUE(backend_->Send(1, Response(1, "finished")));
  EXPECT_EQ(busy_->Receive(), Response(1, "finished"));
  EXPECT_EQ(old->WaitForExit(), 0);
  for (const char* name : {"admin.sock", "metrics.sock", "front.sock"})
    EXPECT_TRUE(std::filesystem::is_socket(folder_ / name)) << name << " is the new daemon's";
}

TEST_F(DrainTest, StreamInFlightGoesOn) {
  Start();
  RawPeer peer = Peer();
  RawPeer idle = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.service = "test.Stream", .method = "Hold"}, kOpen)));
  backend_->WaitForMessages(0, 1);
  daemon_->Signal(SIGTERM);
  idle.ExpectEnd();
  EXPECT_TRUE(peer.Send(Encode({Data(1, "more"), CloseStream(1)})));
  EXPECT_EQ(backend_->WaitForMessages(0, 3)[1], Data(1, "more"));
  backend_->Send(0, Encode({Data(1, "and more"), CloseStream(1)}));
  EXPECT_EQ(peer.Receive(), Data(1, "and more"));
  EXPECT_EQ(peer.Receive(), CloseStream(1));
  peer.ExpectEnd();
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

TEST_F(DrainTest, DrainTimeoutEndsTheRest) {
  StartDraining({.head = "[daemon]\ndrain_timeout = \"100ms\"\n"});
  EXPECT_THAT(busy_->Receive(), IsStatus(1, StatusCode::kUnavailable, "draining"));
  busy_->ExpectEnd();
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  EXPECT_THAT(daemon_->log(),
              HasSubstr("draining: requested by SIGTERM; 2 peers, 1 calls in flight\n"));
  EXPECT_THAT(daemon_->log(), HasSubstr("drain timeout: closing 1 peers with 1 calls in flight\n"));
}

TEST_F(DrainTest, TheLogSaysWhatStarts) {
  Start();
  const std::string digest = "[0-9a-f]+";
  EXPECT_THAT(daemon_->log(),
              ::testing::ContainsRegex("ttrpc-proxyd [0-9.]+: configuration " + config_path() +
                                       ", digest " + digest + ", confined( in part)?\n"));
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  Start({.head = "[daemon]\nsandbox = false\n"});
  EXPECT_THAT(daemon_->log(), ::testing::ContainsRegex(digest + ", not confined\n"));
}

TEST_F(DrainTest, TheLogAnswersASignalToOpenFilesAgain) {
  Start();
  const auto says = [](const std::string& what) {
    return [what](const std::string& line) { return line.ends_with(what); };
  };
  daemon_->Signal(SIGUSR1);
  daemon_->WaitForLines(1, says("SIGUSR1: neither log nor audit is a file"));
  const std::string audit = folder_ / "audit";
  WriteConfig({.head = "[audit]\ntarget = \"file:" + audit + "\"\n"});
  daemon_->Signal(SIGHUP);
  daemon_->WaitForLines(1, says("; [audit] changed"));
  daemon_->Signal(SIGUSR1);
  daemon_->WaitForLines(1, says("SIGUSR1: reopening " + audit));
}

TEST_F(DrainTest, DrainTimeoutEndsAPeerThatDoesNotRead) {
  const auto flood = [](const WireMessage&) {
    return BackendReply{.bytes = Encode(std::vector(32, Data(1, std::string(256 << 10, 'x'))))};
  };
  Start({.head = "[daemon]\ndrain_timeout = \"100ms\"\n", .server = {.script = flood}});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"}, kClosed)));
  EXPECT_TRUE(WaitUntilReadable(peer.fd()));
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

TEST_F(DrainTest, SecondSignalExitsOneAtOnce) {
  StartDraining({.head = "[daemon]\ndrain_timeout = \"1h\"\n"});
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 1);
  EXPECT_FALSE(std::filesystem::exists(front_path()));
}

TEST_F(DrainTest, InterruptDrainsToo) {
  Start();
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  daemon_->Signal(SIGINT);
  peer.ExpectEnd();
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

// The program that reads the daemon's log may end before the daemon.
TEST_F(DrainTest, ABrokenPipeDoesNotEndIt) {
  Start();
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  daemon_->Signal(SIGPIPE);
  ExpectEcho(peer, 3);
}

}  // namespace
}  // namespace integration
