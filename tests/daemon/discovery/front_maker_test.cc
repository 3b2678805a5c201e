// SPDX-License-Identifier: Apache-2.0
#include "discovery/front_maker.h"

#include "harness.h"

namespace proxyd {
namespace {

using test::Connects;
using test::LeaveSocket;

std::string PathFor(const std::string& front, const WorkloadKey& key) {
  const FrontPath path(SocketTemplate{front});
  const auto names = path.NamesFor(key);
  return names ? JoinedPath(path.base(), *names) : names.error().message();
}

TEST(FrontPathTest, PlaceholdersAreReplaced) {
  const WorkloadKey key{.name_space = "k8s.io", .id = "web"};
  EXPECT_EQ(PathFor("/run/p/{namespace}/{id}.sock", key), "/run/p/k8s.io/web.sock");
  EXPECT_EQ(PathFor("/run/p/x-{namespace}-{id}", key), "/run/p/x-k8s.io-web");
  EXPECT_EQ(PathFor("/run/p/{namespace}/in/{id}/s", key), "/run/p/k8s.io/in/web/s");
  EXPECT_EQ(PathFor("/{name}", {.id = "a"}), "/a");
  EXPECT_EQ(FrontPath(SocketTemplate{"/run/p/x{id}/y"}).base(), "/run/p");
  EXPECT_EQ(FrontPath(SocketTemplate{"/{id}"}).base(), "/");
}

TEST(FrontPathTest, AValueIsNoPlaceholder) {
  EXPECT_EQ(PathFor("/run/p/{namespace}/{id}", {.name_space = "{id}", .id = "{namespace}"}),
            "/run/p/{id}/{namespace}");
}

TEST(FrontPathTest, NamesThatMakeNoPathAreRefused) {
  EXPECT_EQ(PathFor("/run/{id}.{namespace}", {.name_space = ".", .id = ""}),
            "its socket would have the name \"..\"");
  EXPECT_EQ(PathFor("/run/.{id}", {.id = "lock"}), "its socket would replace the lock file");
  const std::string room = PathFor("/run/{id}", {.id = std::string(102, 'a')});
  EXPECT_EQ(room, "/run/" + std::string(102, 'a'));
  EXPECT_EQ(PathFor("/run/{id}", {.id = std::string(103, 'a')}),
            "the path of its socket would have 108 bytes; use an address that leaves more room, "
            "since a socket has at most 107");
}

TEST(FrontPathTest, OnlyNamesOfTheTemplateMayBeOurs) {
  const FrontPath path(SocketTemplate{"/run/{namespace}/x-{id}.sock"});
  EXPECT_EQ(path.depth(), 2U);
  EXPECT_TRUE(path.MayBeOurs(0, "anything"));
  EXPECT_TRUE(path.MayBeOurs(1, "x-a.sock"));
  for (const char* other : {"x-.sock", "a.sock", "x-a", "x-"}) {
    EXPECT_FALSE(path.MayBeOurs(1, other)) << other;
  }
}

class FrontMakerTest : public testing::Test {
 protected:
  mode_t ModeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777U;
  }

  ::test::TempFolder folder_;
  const std::string base_ = folder_ / "parent/base";
  const SocketTemplate front_{base_ + "/{namespace}/{id}"};
  SocketAccess access_;
};

TEST_F(FrontMakerTest, MakesSocketsAndDirectoriesAndLeavesNothing) {
  {
    FrontMaker maker(front_, access_);
    auto socket = maker.Make({"ns", "a"});
    ASSERT_TRUE(socket) << socket.error();
    EXPECT_EQ(socket->path(), base_ + "/ns/a");
    EXPECT_TRUE(Connects(base_ + "/ns/a"));
    EXPECT_EQ(ModeOf(base_), 0711U);
    EXPECT_EQ(ModeOf(base_ + "/ns"), 0711U);
    EXPECT_EQ(ModeOf(base_ + "/ns/a"), 0600U);
    const auto other = maker.Make({"ns", "b"});
    ASSERT_TRUE(other) << other.error();
    maker.Remove({"ns", "a"}, *socket->files());
    EXPECT_FALSE(std::filesystem::exists(base_ + "/ns/a"));
    EXPECT_TRUE(Connects(base_ + "/ns/b"));
    maker.Remove({"ns", "b"}, *other->files());
    EXPECT_FALSE(std::filesystem::exists(base_ + "/ns"));
    EXPECT_TRUE(std::filesystem::exists(base_ + "/.lock"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(base_));
}

TEST_F(FrontMakerTest, DirectoriesLetThoseInWhomTheSocketsLetIn) {
  access_.mode = 0660;
  FrontMaker maker(front_, access_);
  const auto socket = maker.Make({"ns", "a"});
  ASSERT_TRUE(socket) << socket.error();
  EXPECT_EQ(ModeOf(base_), 0755U);
  EXPECT_EQ(ModeOf(base_ + "/ns"), 0755U);
  EXPECT_EQ(ModeOf(base_ + "/ns/a"), 0660U);
  access_.mode = 0600;
  maker.SetAccess(access_);
  EXPECT_EQ(ModeOf(base_ + "/ns"), 0711U);
}

// A daemon that is killed between making a directory and opening it to users leaves it closed.
TEST_F(FrontMakerTest, ADirectoryThatIsThereGetsTheMode) {
  test::MakeDirectories(base_ + "/ns");
  test::WriteTrusted(base_ + "/ns/file", "");
  test::WriteTrusted(base_ + "/.lock", "");
  FrontMaker maker(front_, access_);
  const auto socket = maker.Make({"ns", "a"});
  ASSERT_TRUE(socket) << socket.error();
  EXPECT_EQ(ModeOf(base_ + "/ns"), 0711U);
}

TEST_F(FrontMakerTest, ABaseBelongsToOneProcess) {
  FrontMaker first(front_, access_);
  ASSERT_TRUE(first.TakeBase().ok());
  FrontMaker second(front_, access_);
  const ttrpc::Status status = second.TakeBase();
  EXPECT_EQ(status.message(),
            "another process makes sockets in " + base_ + " and has locked " + base_ + "/.lock");
}

TEST_F(FrontMakerTest, RemovesWhatAKilledDaemonHasLeft) {
  test::MakeDirectories(base_ + "/ns");
  test::MakeDirectories(base_ + "/other");
  LeaveSocket(base_ + "/ns/a");
  LeaveSocket(base_ + "/ns/.ttrpc-0123456789abcdef");
  LeaveSocket(base_ + "/other/a");
  test::WriteTrusted(base_ + "/other/file", "");
  test::WriteTrusted(base_ + "/.lock", "");
  FrontMaker maker(front_, access_);
  ASSERT_TRUE(maker.TakeBase().ok());
  EXPECT_FALSE(std::filesystem::exists(base_ + "/ns"));
  EXPECT_FALSE(std::filesystem::exists(base_ + "/other/a"));
  EXPECT_TRUE(std::filesystem::exists(base_ + "/other/file"));
}

// The base may be /run by mistake, where others have directories and sockets.
TEST_F(FrontMakerTest, LeavesADirectoryOfOthersAlone) {
  test::MakeDirectories(base_ + "/other");
  test::MakeDirectories(base_ + "/empty");
  LeaveSocket(base_ + "/other/a");
  {
    FrontMaker maker(front_, access_);
    const ttrpc::Status status = maker.TakeBase();
    EXPECT_EQ(status.code(), ttrpc::StatusCode::kFailedPrecondition);
    EXPECT_EQ(status.message(), base_ +
                                    " has files of others, such as \"other\"; use an address "
                                    "in a directory of its own");
    maker.SetAccess({.owner = {}, .group = {}, .mode = 0666});
    EXPECT_FALSE(maker.Make({"ns", "a"}));
  }
  EXPECT_TRUE(std::filesystem::exists(base_ + "/other/a"));
  EXPECT_TRUE(std::filesystem::exists(base_ + "/empty"));
  EXPECT_FALSE(std::filesystem::exists(base_ + "/.lock"));
  EXPECT_EQ(ModeOf(base_ + "/other"), 0700U);
}

TEST_F(FrontMakerTest, SocketsOfOthersInTheBaseStay) {
  test::MakeDirectories(base_);
  LeaveSocket(base_ + "/other.sock");
  FrontMaker maker(SocketTemplate{base_ + "/{id}.sock"}, access_);
  EXPECT_EQ(maker.TakeBase().code(), ttrpc::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::exists(base_ + "/other.sock"));
  // These names can be no workload's.
  FrontMaker hidden(SocketTemplate{base_ + "/x-{id}.sock"}, access_);
  EXPECT_TRUE(hidden.TakeBase().ok());
}

TEST_F(FrontMakerTest, DoesNotFollowLinksThatSomebodyPutThere) {
  test::MakeDirectories(base_);
  test::MakeDirectories(folder_ / "elsewhere");
  LeaveSocket(folder_ / "elsewhere/a");
  ASSERT_EQ(::symlink((folder_ / "elsewhere").c_str(), (base_ + "/ns").c_str()), 0);
  FrontMaker maker(front_, access_);
  EXPECT_FALSE(maker.Make({"ns", "b"}));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "elsewhere/a"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "elsewhere/b"));
}

TEST_F(FrontMakerTest, RefusesABaseThatOthersMayWriteTo) {
  test::MakeDirectories(base_);
  ASSERT_EQ(::chmod(base_.c_str(), 0777), 0);
  FrontMaker maker(front_, access_);
  const auto socket = maker.Make({"ns", "a"});
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().message(), base_ + ": a group or others may write to it");
}

TEST_F(FrontMakerTest, TakesABaseThatWasMadeAgain) {
  FrontMaker maker(front_, access_);
  ASSERT_TRUE(maker.Make({"ns", "a"}));
  std::filesystem::remove_all(base_);
  const auto socket = maker.Make({"ns", "a"});
  ASSERT_TRUE(socket) << socket.error();
  EXPECT_TRUE(Connects(base_ + "/ns/a"));
}

}  // namespace
}  // namespace proxyd
