// SPDX-License-Identifier: Apache-2.0
//
// A real shim behind the daemon: Debian's containerd-shim-runc-v2, started as containerd would
// start it, without a container. Answers through the daemon are compared with those that the shim
// gives to root directly.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "harness/proxy_test.h"

namespace integration {
namespace {

constexpr char kShim[] = "containerd-shim-runc-v2";
constexpr char kTask[] = "containerd.task.v2.Task";
constexpr uint32_t kUnixScheme = 7;  // length of unix://

bool InPath(const std::string& program) {
  std::istringstream folders(std::getenv("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    folder.append("/").append(program);
    if (::access(folder.c_str(), X_OK) == 0) return true;
  }
  return false;
}

class ShimTest : public ProxyTest {
 protected:
  void SetUp() override {
    if (!InPath(kShim)) GTEST_SKIP() << kShim << " is not installed: no real shim was tested";
    StartShim();
    ASSERT_FALSE(socket_.empty());
    WriteConfig({.backend = "address = \"unix://" + socket_ + "\"\n", .rules = R"(
[[rule]]
name = "containerd"
users = ["root"]
methods = ["/containerd.task.v2.Task/*"]
action = "allow"
backend = "back"

[[rule]]
name = "monitoring may look"
users = [1234]
methods = ["/containerd.task.v2.Task/State"]
action = "allow"
backend = "back"
)"});
    StartDaemon();
  }

  void TearDown() override {
    ProxyTest::TearDown();
    StopShim();
  }

  // Every request here begins with the container's id.
  Call TaskCall(const std::string& method) const {
    return {.service = kTask, .method = method, .payload = BytesField(1, id_)};
  }

  std::optional<WireMessage> AskShim(const std::string& method) const {
    RawPeer direct(socket_);
    return direct.Exchange(Request(1, TaskCall(method)));
  }

  std::string socket_;

 private:
  // The shim needs a bundle with a configuration and a fifo `log`, and an address for its events,
  // where nobody needs to listen.
  void StartShim() {
    const std::string bundle = folder_ / "bundle";
    std::filesystem::create_directory(bundle);
    WriteFile(bundle + "/config.json", R"({"ociVersion": "1.0.2", "root": {"path": "rootfs"}})");
    ASSERT_EQ(::mkfifo((bundle + "/log").c_str(), 0600), 0);
    log_.reset(::open((bundle + "/log").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    id_ = std::filesystem::path(folder_.path()).filename();
    const CommandResult started =
        RunCommand({.args = {kShim, "-namespace", "test", "-id", id_, "-address",
                             folder_ / "containerd.sock", "-publish-binary", "/bin/true", "start"},
                    .directory = bundle,
                    .environment = {"TTRPC_ADDRESS=" + (folder_ / "events.sock")}});
    ASSERT_EQ(started.status, 0) << started.err;
    ASSERT_TRUE(started.out.starts_with("unix://")) << started.out;
    socket_ = started.out.substr(kUnixScheme);
    while (!socket_.empty() && std::isspace(static_cast<unsigned char>(socket_.back()))) {
      socket_.pop_back();
    }
  }

  // A shim without containers ends on request.
  void StopShim() {
    if (socket_.empty()) return;
    RawPeer direct(socket_);
    direct.Send(Request(1, TaskCall("Shutdown")));
    while (direct.Receive().has_value()) continue;
    ::unlink(socket_.c_str());
  }

  std::string id_;
  ttrpc::UniqueFd log_;  // the shim would end if nobody read this fifo
};

TEST_F(ShimTest, ConnectOfRootIsAnsweredByTheShim) {
  RawPeer root = Peer();
  const std::optional<WireMessage> answer = root.Exchange(Request(1, TaskCall("Connect")));
  EXPECT_EQ(answer, AskShim("Connect"));
  ASSERT_TRUE(answer.has_value());
  ttrpc::ResponseView response;
  ASSERT_TRUE(ttrpc::ParseResponse(answer->data, &response).ok());
  EXPECT_EQ(response.code, StatusCode::kOk);
  EXPECT_NE(response.payload, "") << "it holds the shim's pid";
}

TEST_F(ShimTest, UserWhoMayOnlyLookGetsTheShimsOwnStateAndNoShutdown) {
  RawPeer user = Peer({.uid = 1234, .gid = 1234});
  const std::optional<WireMessage> state = user.Exchange(Request(1, TaskCall("State")));
  EXPECT_EQ(state, AskShim("State"));
  // Only the shim can answer that there is no container.
  EXPECT_THAT(state, IsStatus(1, StatusCode::kNotFound, ::testing::HasSubstr("container")));
  for (const char* method : {"Shutdown", "Connect", "Kill", "Exec"}) {
    EXPECT_THAT(user.Exchange(Request(3, TaskCall(method))),
                IsStatus(3, StatusCode::kPermissionDenied,
                         std::string("uid 1234 may not call /containerd.task.v2.Task/") + method));
  }
  EXPECT_EQ(AskShim("State"), state) << "the shim is gone";
}

TEST_F(ShimTest, UserInNoRuleIsClosedWithoutAByte) {
  RawPeer stranger = Peer({.uid = 4242, .gid = 4242});
  stranger.Send(Request(1, TaskCall("State")));
  stranger.ExpectEnd();
}

TEST_F(ShimTest, ManyCallsOnOneConnection) {
  const std::optional<WireMessage> direct = AskShim("State");
  ASSERT_TRUE(direct.has_value());
  RawPeer root = Peer();
  for (uint32_t id = 1; id < 200; id += 2) {
    WireMessage expected = *direct;
    expected.stream_id = id;
    EXPECT_EQ(root.Exchange(Request(id, TaskCall("State"))), expected);
  }
}

TEST_F(ShimTest, ShutdownOfRootEndsTheShimAndThePeer) {
  RawPeer root = Peer();
  ASSERT_TRUE(root.Exchange(Request(1, TaskCall("Connect"))).has_value());
  RawPeer direct(socket_);
  ASSERT_TRUE(root.Send(Request(3, TaskCall("Shutdown"))));
  // The shim may answer before it ends, or not.
  while (root.Receive().has_value()) continue;
  while (direct.Receive().has_value()) continue;
  ::unlink(socket_.c_str());
  socket_.clear();
}

}  // namespace
}  // namespace integration
