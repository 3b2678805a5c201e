// SPDX-License-Identifier: Apache-2.0
//
// Listeners that follow the sockets of a directory: one front for each, by its file name.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <utility>

#include "harness/shims_test.h"

namespace integration {
namespace {

constexpr char kAnyRule[] = R"(
[[rule]]
name = "own"
users = ["root", "40001-40002"]
methods = ["/test.Unary/*", "/containerd.*/*"]
ids = ["{uid}-*", "shared"]
action = "allow"
backend = "agent"
)";

class DirectoryTest : public ProxyTest {
 protected:
  void SetUp() override { std::filesystem::create_directory(agents()); }
  void StartFollowing() {
    WriteFile(config_path(),
              "[admin]\naddress = \"unix://" + admin_path() +
                  "\"\n[[listener]]\nname = \"others\"\nmode = \"0666\"\ndiscover = "
                  "\"directory\"\ndirectory = \"" +
                  agents() + "\"\naddress = \"unix://" + folder_ / "run" +
                  "/{name}\"\n[[backend]]\nname = \"agent\"\naddress = \"discovered\"\n" +
                  kAnyRule);
    StartDaemon();
  }
  RecordingBackend& StartAgent(const std::string& name) {
    servers_[name].reset();  // removes its socket before the next one is made
    servers_[name] = std::make_unique<RecordingBackend>(agents() + "/" + name, AnswersAs(name));
    return *servers_[name];
  }
  std::string agents() const { return folder_ / "agents"; }
  std::string admin_path() const { return folder_ / "admin.sock"; }
  std::string FrontOf(const std::string& name) const { return folder_ / "run" + "/" + name; }
  bool HasFront(const std::string& name) const {
    std::error_code ignored;
    return std::filesystem::is_socket(FrontOf(name), ignored);
  }
  void ExpectServes(const std::string& name, const Identity& who = {}) {
    ASSERT_TRUE(Eventually([&] { return HasFront(name); })) << name;
    RawPeer peer(FrontOf(name), who);
    EXPECT_EQ(peer.Exchange(Request(1, {})), Response(1, name));
  }

  std::map<std::string, std::unique_ptr<RecordingBackend>> servers_;
};

TEST_F(DirectoryTest, EachSocketHasAFrontOfItsName) {
  StartAgent("shared");
  StartFollowing();
  ExpectServes("shared");
  StartAgent("0-late");
  ExpectServes("0-late");
  servers_.erase("shared");
  EXPECT_TRUE(Eventually([this] { return !HasFront("shared"); }));
  StartAgent("shared");
  ExpectServes("shared");
  ExpectServes("0-late");
}

TEST_F(DirectoryTest, OnlySocketsAreFollowed) {
  StartAgent("shared");
  WriteFile(agents() + "/file", "x");
  std::filesystem::create_directory(agents() + "/directory");
  std::filesystem::create_symlink(agents() + "/shared", agents() + "/link");
  ASSERT_EQ(::mkfifo((agents() + "/fifo").c_str(), 0666), 0);
  StartAgent(".hidden");
  StartFollowing();
  ExpectServes("shared");
  // Files that come later are treated the same.
  std::filesystem::create_symlink(agents() + "/shared", agents() + "/late-link");
  WriteFile(agents() + "/late-file", "x");
  StartAgent("0-last");
  ExpectServes("0-last");
  for (const char* name :
       {"file", "directory", "link", "fifo", ".hidden", "late-link", "late-file"})
    EXPECT_FALSE(std::filesystem::exists(FrontOf(name))) << name;
}

TEST_F(DirectoryTest, RulesNameTheFile) {
  for (const char* name : {"shared", "40001-x", "40002-x"}) StartAgent(name);
  StartFollowing();
  ExpectServes("shared", Someone(kAlice));
  ExpectServes("40001-x", Someone(kAlice));
  ExpectServes("40002-x", Someone(kBob));
  RawPeer alice(FrontOf("40002-x"), Someone(kAlice));
  EXPECT_THAT(alice.Exchange(Request(1, {})), IsDenied(1));
}

// Only containerd's own services name a workload in their requests, and only on its shims.
TEST_F(DirectoryTest, RequestsAreNotRead) {
  StartAgent("shared");
  StartFollowing();
  ExpectServes("shared");
  RawPeer peer(FrontOf("shared"));
  Call call = TaskCall("State", "another");
  call.payload += BytesField(1, "twice");
  EXPECT_EQ(peer.Exchange(Request(1, call)), Response(1, "shared"));
}

TEST_F(DirectoryTest, TheDirectoryMayGoAndComeAgain) {
  StartAgent("shared");
  StartFollowing();
  ExpectServes("shared");
  servers_.clear();
  std::filesystem::remove_all(agents());
  EXPECT_TRUE(Eventually([this] { return !HasFront("shared"); }));
  std::filesystem::create_directory(agents());
  StartAgent("shared");
  ExpectServes("shared");
}

// The socket is bound before it listens, and stays where it is when its program ends.
TEST_F(DirectoryTest, ASocketWhereNobodyListensClosesThePeer) {
  const ttrpc::UniqueFd bound = Bind(agents() + "/shared");
  StartFollowing();
  ASSERT_TRUE(Eventually([this] { return HasFront("shared"); }));
  RawPeer(FrontOf("shared")).ExpectEnd();
  std::filesystem::remove(agents() + "/shared");
  StartAgent("shared");
  EXPECT_TRUE(Eventually([this] {
    ttrpc::UniqueFd connection = Connect(FrontOf("shared"));
    if (!connection) return false;  // the new socket's front is not there yet
    RawPeer peer(std::move(connection));
    return peer.Exchange(Request(1, {})) == Response(1, "shared");
  }));
}

}  // namespace
}  // namespace integration
