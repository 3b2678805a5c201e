// SPDX-License-Identifier: Apache-2.0
//
// Hostile neighbours: unexpected objects at a backend's path, and peers whose process has changed
// since it connected.
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using nlohmann::json;

constexpr uid_t kStranger = 1234;  // a user that no rule admits

class OddBackendTest : public ProxyTest {
 protected:
  // Each path has a backend of its own, since after a failure the daemon waits before it dials
  // again.
  void StartWith(const std::vector<std::string>& paths) {
    std::string more = kDefaultRules;
    for (size_t i = 0; i < paths.size(); ++i) {
      const std::string n = std::to_string(i);
      more.append("[[backend]]\nname = \"odd").append(n);
      more.append("\"\naddress = \"unix://").append(paths[i]);
      more.append("\"\n[[rule]]\nname = \"odd").append(n);
      more.append("\"\nusers = [\"root\"]\nmethods = [\"/test.Odd").append(n);
      more.append("/*\"]\naction = \"allow\"\nbackend = \"odd").append(n).append("\"\n");
    }
    Start({.rules = more});
  }
};

TEST_F(OddBackendTest, WhatIsNoStreamSocketIsUnavailable) {
  const std::string file = folder_ / "file";
  WriteFile(file, "");
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0666), 0);
  const std::string loop = folder_ / "loop";
  std::filesystem::create_symlink(loop, loop);
  const ttrpc::UniqueFd datagrams = Bind(folder_ / "datagrams", SOCK_DGRAM);
  const ttrpc::UniqueFd packets = Bind(folder_ / "packets", SOCK_SEQPACKET);
  ASSERT_EQ(::listen(packets.get(), 1), 0);
  const std::vector<std::string> paths = {file,
                                          pipe,
                                          loop,
                                          folder_ / "datagrams",
                                          folder_ / "packets",
                                          folder_.path(),
                                          file + "/beneath"};
  StartWith(paths);
  RawPeer peer = Peer();
  for (size_t i = 0; i < paths.size(); ++i) {
    SCOPED_TRACE(paths[i]);
    const std::string n = std::to_string(i);
    EXPECT_THAT(
        peer.Exchange(Request(1, {.service = "test.Odd" + n})),
        IsStatus(1, StatusCode::kUnavailable, "backend \"odd" + n + "\" cannot be reached"));
  }
  ExpectEcho(peer, 1);
  char byte = 0;
  EXPECT_EQ(::recv(datagrams.get(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(ReadFile(file), "");
}

// Another process called listen(2) on this socket, so its owner is not the daemon. The daemon
// recognizes itself only as the client of the connection that it accepts.
TEST_F(OddBackendTest, OwnSocketThatWasPassedIsNoBackend) {
  const std::string path = folder_ / "passed.sock";
  const ttrpc::UniqueFd passed = Bind(path);
  ASSERT_EQ(::listen(passed.get(), 100), 0);
  WriteConfig({.backend = "address = \"unix://" + path + "\"\n",
               .rules = std::string(kDefaultRules) +
                        "[[listener]]\nname = \"passed\"\naddress = \"systemd:shims\"\n"});
  daemon_ =
      std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config_path()},
                                      DaemonSurroundings{.sockets = {{"shims", passed.get()}}});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Echo(1)));
  peer.ExpectEnd();
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  EXPECT_THAT(daemon_->log(), ::testing::HasSubstr("stopped: 1 peers, 1 refused;"));
}

// A process that connects, sends and exits, all of it while the daemon is stopped.
class GonePeerTest : public ProxyTest {
 protected:
  void Start() {
    ProxyTest::Start({.head = "[audit]\ncalls = \"all\"\n"});
    daemon_->Signal(SIGSTOP);
    siginfo_t info;
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(daemon_->pid()), &info, WSTOPPED), 0);
  }
  void TearDown() override {
    if (daemon_ != nullptr) daemon_->Signal(SIGCONT);
    ProxyTest::TearDown();
  }

  // Returns the pid of the child. Other threads may hold locks that the child never gets, so it
  // only makes system calls.
  pid_t ConnectSendAndExit(uid_t uid) {
    const std::string path = front_path();
    const std::string bytes = Encode(Echo(1));
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::syscall(SYS_setresgid, uid, uid, uid);
      ::syscall(SYS_setresuid, uid, uid, uid);
      const ttrpc::UniqueFd socket = Connect(path);
      const ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ::_exit(sent == static_cast<ssize_t>(bytes.size()) ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
    return pid;
  }

  // Returns the audit line about the peer with this pid.
  json Line(pid_t pid) const {
    const auto lines = daemon_->WaitForLines(1, [pid](const std::string& line) {
      return line.starts_with("{") && json::parse(line).value("pid", 0) == pid;
    });
    return lines.empty() ? json::object() : json::parse(lines[0]);
  }

  // Expects that the daemon knows each peer by its user, root or a stranger.
  void ExpectWhoTheyWere(pid_t root, pid_t stranger) {
    daemon_->Signal(SIGCONT);
    EXPECT_EQ(Line(root).value("event", ""), "connect");
    EXPECT_EQ(Line(root).value("uid", -1), 0);
    EXPECT_EQ(Line(stranger).value("event", ""), "refuse");
    EXPECT_EQ(Line(stranger).value("uid", -1), int{kStranger});
    RawPeer other = Peer();
    ExpectEcho(other, 1);
    // Whether root's call was made depends on what the daemon saw first. The stranger's call was
    // not made.
    for (size_t i = 0; i + 1 < backend_->connections(); ++i) {
      EXPECT_THAT(backend_->WaitForEnd(i),
                  ::testing::AnyOf(std::vector<WireMessage>(), std::vector{Echo(1)}));
    }
    EXPECT_LE(backend_->connections(), 2U);
  }
};

TEST_F(GonePeerTest, IsWhoItWasWhenItConnected) {
  Start();
  const pid_t root = ConnectSendAndExit(0);
  const pid_t stranger = ConnectSendAndExit(kStranger);
  ExpectWhoTheyWere(root, stranger);
}

// A process of another user that has the pid of one that has ended.
class Successor {
 public:
  Successor(pid_t pid, uid_t uid) {
    clone_args args = {};
    args.exit_signal = SIGCHLD;
    args.set_tid = reinterpret_cast<uint64_t>(&pid);
    args.set_tid_size = 1;
    const long result = ::syscall(SYS_clone3, &args, sizeof args);
    if (result == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::syscall(SYS_setresuid, uid, uid, uid);
      while (true) ::pause();
    }
    EXPECT_EQ(result, pid);
    pid_ = static_cast<pid_t>(result);
  }
  ~Successor() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;

 private:
  pid_t pid_ = -1;
};

TEST_F(GonePeerTest, IsNotWhoHasItsPidNow) {
  Start();
  const pid_t root = ConnectSendAndExit(0);
  const pid_t stranger = ConnectSendAndExit(kStranger);
  const Successor of_root(root, kStranger);
  const Successor of_stranger(stranger, 0);
  ExpectWhoTheyWere(root, stranger);
}

class PidNamespaceTest : public ProxyTest {};

// A daemon in a pid namespace of its own sees the pid 0 for every peer and backend.
TEST_F(PidNamespaceTest, PeerAndBackendWithoutAPidAreWhoTheyAre) {
  WriteConfig({.head = "[audit]\ncalls = \"all\"\n", .backend = "forward_identity = true\n"});
  StartBackend();
  daemon_ = std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config_path()},
                                            DaemonSurroundings{.pid_namespace = true});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  Peer({.uid = kStranger, .gid = 0}).ExpectEnd();
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  const Call forwarded = {
      .payload = "echo",
      .metadata = {{"ttrpc-proxy-uid", "0"}, {"ttrpc-proxy-gid", "0"}, {"ttrpc-proxy-pid", "0"}}};
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Request(1, forwarded)});
  for (const char* event : {"refuse", "call"}) {
    const auto lines = daemon_->WaitForLines(1, [event](const std::string& line) {
      return line.starts_with("{") && json::parse(line).value("event", "") == event;
    });
    ASSERT_FALSE(lines.empty());
    EXPECT_FALSE(json::parse(lines[0]).contains("pid"));
  }
}

}  // namespace
}  // namespace integration
