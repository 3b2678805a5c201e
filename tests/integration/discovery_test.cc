// SPDX-License-Identifier: Apache-2.0
//
// Discovery of containerd's workloads: which bundles get a front, when fronts come and go, and that
// a daemon that was killed, drains or reloads leaves none behind.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/shims_test.h"

namespace integration {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Bundle kWeb = {.id = "web"};
const Bundle kOther = {.id = "db", .name_space = "default"};

class DiscoveryTest : public ShimsTest {
 protected:
  static mode_t ModeOf(const std::string& path) {
    struct stat file = {};
    EXPECT_EQ(::lstat(path.c_str(), &file), 0) << path;
    EXPECT_EQ(file.st_uid, 0U) << path;
    return file.st_mode & 07777;
  }
  void ExpectServes(const Bundle& bundle) {
    AwaitFront(bundle);
    RawPeer peer = FrontPeer(bundle);
    ExpectServed(peer, 1, TaskCall("State", bundle.id), bundle);
  }
};

// ---- Bundles that get a front

TEST_F(DiscoveryTest, EachWorkloadHasAFrontThatLeadsToItsShim) {
  StartWorkload(kWeb);
  Bundle old = kOther;
  old.address = "unix://" + SocketOf(kOther);
  StartWorkload(old);
  StartShims(Fronts::kEach);
  ExpectServes(kWeb);
  ExpectServes(kOther);
}

TEST_F(DiscoveryTest, BootstrapJsonCountsBeforeTheAddressFile) {
  StartShim(kWeb);
  StartShim(kOther);
  Bundle both = kWeb;
  both.bootstrap = Bootstrap(SocketOf(kWeb));
  both.address = "unix://" + SocketOf(kOther);
  bundles().Make(both);
  StartShims(Fronts::kEach);
  ExpectServes(kWeb);
}

TEST_F(DiscoveryTest, OtherFormsOfAnAddressAreFollowed) {
  StartShim(kWeb);
  Bundle bundle = kWeb;
  bundle.address = "ttrpc+unix://" + SocketOf(kWeb) + "\n";
  bundles().Make(bundle);
  StartShims(Fronts::kEach);
  ExpectServes(kWeb);
}

TEST_F(DiscoveryTest, NamesThatBeginWithADotAreNotThere) {
  Bundle hidden = {.id = ".web", .address = "unix:///run/nobody"};
  bundles().Make(hidden);
  StartWorkload(kWeb);
  StartShims(Fronts::kEach);
  AwaitFront(kWeb);
  EXPECT_THAT(Left(), ElementsAre("k8s.io", "k8s.io/web.sock"));
}

TEST_F(DiscoveryTest, DirectoriesOfPlaceholdersLetInWhomTheSocketLetsIn) {
  StartWorkload(kWeb);
  StartShims(Fronts::kEach);
  AwaitFront(kWeb);
  EXPECT_EQ(ModeOf(base_path()), 0755U);
  EXPECT_EQ(ModeOf(base_path() + "/k8s.io"), 0755U);
  EXPECT_EQ(ModeOf(FrontOf(kWeb)), 0666U);
}

TEST_F(DiscoveryTest, DirectoriesOfAPrivateSocketCannotBeListed) {
  StartWorkload(kWeb);
  StartShims(Fronts::kEach, {.listener = "mode = \"0600\"\n"});
  AwaitFront(kWeb);
  EXPECT_EQ(ModeOf(base_path()), 0711U);
  EXPECT_EQ(ModeOf(base_path() + "/k8s.io"), 0711U);
  EXPECT_EQ(ModeOf(FrontOf(kWeb)), 0600U);
}

// ---- Coming and going

TEST_F(DiscoveryTest, FrontsComeAndGoWithTheirWorkloads) {
  StartShims(Fronts::kEach);
  StartWorkload(kWeb);
  ExpectServes(kWeb);
  StartWorkload(kOther);
  ExpectServes(kOther);
  bundles().Remove(kWeb);
  AwaitNoFront(kWeb);
  EXPECT_TRUE(Eventually([this] { return Left().size() == 2; })) << "a directory is left";
  ExpectServes(kOther);
  StartWorkload(kWeb);
  ExpectServes(kWeb);
}

TEST_F(DiscoveryTest, FilesThatComeLaterAreNoticed) {
  StartShims(Fronts::kEach);
  StartShim(kWeb);
  bundles().Make(kWeb);  // without an address
  StartWorkload(kOther);
  AwaitFront(kOther);
  EXPECT_FALSE(std::filesystem::exists(FrontOf(kWeb)));
  bundles().Put(kWeb, "bootstrap.json", Bootstrap(SocketOf(kWeb)));
  ExpectServes(kWeb);
}

TEST_F(DiscoveryTest, AFileThatIsRepairedHealsItsWorkload) {
  StartShims(Fronts::kEach, {.head = AdminTable()});
  StartShim(kWeb);
  bundles().Make({.id = "web", .bootstrap = R"({"version":3,"addr)"});
  AwaitFaulty("k8s.io/web");
  EXPECT_THAT(Left(), IsEmpty());
  bundles().Put(kWeb, "bootstrap.json", Bootstrap(SocketOf(kWeb)));
  ExpectServes(kWeb);
  AwaitListed("k8s.io/web", "");
}

TEST_F(DiscoveryTest, TheStateDirectoryMayComeLaterAndGoAndComeAgain) {
  StartShims(Fronts::kEach);
  for (int i = 0; i < 2; ++i) {
    StartWorkload(kWeb);
    ExpectServes(kWeb);
    std::filesystem::remove_all(bundles().state());
    AwaitNoFront(kWeb);
    EXPECT_TRUE(Eventually([this] { return Left().empty(); }));
  }
  // The whole tree appears at once.
  StartWorkload(kOther);
  ExpectServes(kOther);
  const std::string aside = folder_ / "aside";
  std::filesystem::rename(bundles().state(), aside);
  AwaitNoFront(kOther);
  std::filesystem::rename(aside, bundles().state());
  ExpectServes(kOther);
}

TEST_F(DiscoveryTest, ANewAddressIsFollowed) {
  RecordingBackend& before = StartWorkload(kWeb);
  StartShim(kOther);
  StartShims(Fronts::kEach);
  ExpectServes(kWeb);
  before.WaitForEnd(0);
  bundles().Put(kWeb, "bootstrap.json", Bootstrap(SocketOf(kOther)));
  EXPECT_TRUE(Eventually([this] {
    RawPeer peer = FrontPeer(kWeb);
    return peer.Exchange(Request(1, TaskCall("State", "web"))) == Response(1, "default/db");
  }));
}

// ---- Faulty bundles

TEST_F(DiscoveryTest, WhatIsWrongIsListedAndLoggedOnce) {
  StartShim(kWeb);
  const std::string good = Bootstrap(SocketOf(kWeb));
  const auto with = [&good](const std::string& from, const std::string& to) {
    std::string changed = good;
    return changed.replace(changed.find(from), from.size(), to);
  };
  const std::map<std::string, std::string> wrong = {
      {"version", with("3", "4")},
      {"protocol", with("ttrpc\"", "grpc\"")},
      {"twice", with("{", R"({"address":"unix:///run/nobody",)")},
      {"no-address", R"({"version":3,"protocol":"ttrpc"})"},
      {"type", R"({"version":3,"address":7,"protocol":"ttrpc"})"},
      {"scheme", with("unix://", "file://")},
      {"relative", with("unix:///", "unix://")},
      {"garbage", std::string("\0\xff\x80{", 4)},
      {"deep", std::string(60'000, '[')},
      {"large", with("{", "{" + std::string(70'000, ' '))}};
  for (const auto& [id, content] : wrong) bundles().Make({.id = id, .bootstrap = content});
  StartShims(Fronts::kEach, {.head = AdminTable()});
  StartWorkload(kOther);
  AwaitFront(kOther);
  for (const auto& [id, content] : wrong) {
    AwaitFaulty("k8s.io/" + id);
    const std::string name = "k8s.io/" + id;
    EXPECT_EQ(daemon_
                  ->WaitForLines(1,
                                 [&name](const std::string& line) {
                                   return line.find(" warn ") != line.npos &&
                                          line.find(name) != line.npos;
                                 })
                  .size(),
              1U)
        << name;
  }
  EXPECT_THAT(Left(), ElementsAre("default", "default/db.sock"));
}

TEST_F(DiscoveryTest, FilesOfOthersAndLinksAreNotRead) {
  StartShim(kWeb);
  const std::string good = Bootstrap(SocketOf(kWeb));
  for (const char* id : {"owner", "group", "everyone", "link", "fifo"})
    bundles().Make({.id = id, .bootstrap = good});
  const auto file = [this](const char* id) {
    return bundles().PathOf({.id = id}) + "/bootstrap.json";
  };
  ASSERT_EQ(::chown(file("owner").c_str(), kAlice, 0), 0);
  ASSERT_EQ(::chmod(file("group").c_str(), 0664), 0);
  ASSERT_EQ(::chmod(file("everyone").c_str(), 0646), 0);
  std::filesystem::rename(file("link"), folder_ / "elsewhere");
  std::filesystem::create_symlink(folder_ / "elsewhere", file("link"));
  std::filesystem::remove(file("fifo"));
  ASSERT_EQ(::mkfifo(file("fifo").c_str(), 0644), 0);
  // A directory that is a link is no bundle.
  bundles().Make({.id = "real", .name_space = "elsewhere", .bootstrap = good});
  std::filesystem::create_symlink(bundles().PathOf({.id = "real", .name_space = "elsewhere"}),
                                  bundles().PathOf({.id = "linked"}));
  StartShims(Fronts::kEach, {.head = AdminTable()});
  StartWorkload(kOther);
  AwaitFront(kOther);
  for (const char* id : {"owner", "group", "everyone", "link", "fifo"})
    AwaitFaulty(std::string("k8s.io/") + id);
  AwaitFront({.id = "real", .name_space = "elsewhere"});
  EXPECT_FALSE(std::filesystem::exists(base_path() + "/k8s.io"));
}

TEST_F(DiscoveryTest, NamesWhoseFrontCannotBeMade) {
  StartShim(kWeb);
  const std::string good = Bootstrap(SocketOf(kWeb));
  const std::string strange = "a\x1b[2Jb\n";
  for (const std::string& id : {std::string(200, 'n'), strange})
    bundles().Make({.id = id, .bootstrap = good});
  StartShims(Fronts::kEach, {.head = AdminTable()});
  StartWorkload(kOther);
  AwaitFront(kOther);
  AwaitFaulty("k8s.io/" + std::string(200, 'n'));
  EXPECT_EQ(ListWorkloads().size(), 3U);
  EXPECT_THAT(daemon_->log(), ::testing::Not(HasSubstr("\x1b[2J")));
  EXPECT_THAT(Left(), ElementsAre("default", "default/db.sock"));
}

TEST_F(DiscoveryTest, AFileAtTheFrontsPathIsNotReplaced) {
  StartShims(Fronts::kEach, {.head = AdminTable()});
  StartWorkload(kOther);
  AwaitFront(kOther);
  const Bundle second = {.id = "second", .name_space = kOther.name_space};
  WriteFile(FrontOf(second), "precious");
  StartWorkload(second);
  AwaitFaulty("default/second");
  EXPECT_EQ(ReadFile(FrontOf(second)), "precious");
  bundles().Remove(second);
  StartWorkload({.id = "third", .name_space = kOther.name_space});
  AwaitFront({.id = "third", .name_space = kOther.name_space});
  EXPECT_EQ(ReadFile(FrontOf(second)), "precious");
}

// ---- Descriptors

TEST_F(DiscoveryTest, AFrontThatHadNoDescriptorComesWhenAnotherOneGoes) {
  constexpr rlim_t kLimit = 64;
  StartShim(kWeb);
  WriteShims(Fronts::kEach);
  daemon_ = std::make_unique<DaemonProcess>(
      std::vector<std::string>{"--config", config_path()},
      DaemonSurroundings{.descriptors = rlimit{.rlim_cur = kLimit, .rlim_max = kLimit}});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  std::vector<Bundle> waiting;
  for (rlim_t i = 0; i < kLimit + 16; ++i) {
    waiting.push_back({.id = "web-" + std::to_string(i), .bootstrap = Bootstrap(SocketOf(kWeb))});
    bundles().Make(waiting.back());
  }
  daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find(" warn ") != line.npos && line.find("k8s.io/web-") != line.npos;
  });
  EXPECT_TRUE(Eventually([&] {
    std::erase_if(waiting, [this](const Bundle& bundle) {
      if (!std::filesystem::exists(FrontOf(bundle))) return false;
      bundles().Remove(bundle);
      return true;
    });
    return waiting.empty();
  })) << waiting.size()
      << " workloads never had a front";
  EXPECT_TRUE(Eventually([this] { return Left().empty(); }));
}

// ---- The daemon's own end and start

TEST_F(DiscoveryTest, FrontsOfAKilledDaemonAreReplacedOrRemoved) {
  StartWorkload(kWeb);
  StartWorkload(kOther);
  StartShims(Fronts::kEach);
  ExpectServes(kWeb);
  ExpectServes(kOther);
  daemon_->Signal(SIGKILL);
  EXPECT_EQ(daemon_->WaitForExit(), 128 + SIGKILL);
  EXPECT_TRUE(std::filesystem::exists(FrontOf(kOther)));
  bundles().Remove(kOther);
  StartDaemon();
  AwaitNoFront(kOther);
  EXPECT_TRUE(Eventually([this] {
    return Left() == std::vector<std::string>{"k8s.io", "k8s.io/web.sock"};
  }));
  EXPECT_TRUE(Eventually([this] { return static_cast<bool>(Connect(FrontOf(kWeb))); }));
  ExpectServes(kWeb);
}

TEST_F(DiscoveryTest, TheBaseOfAnotherDaemonIsTakenWhenThatEnds) {
  StartWorkload(kWeb);
  StartShims(Fronts::kEach);
  ExpectServes(kWeb);
  auto second =
      std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config_path()});
  ASSERT_TRUE(second->WaitUntilReady());
  EXPECT_FALSE(second
                   ->WaitForLines(1,
                                  [this](const std::string& line) {
                                    return line.find("has locked " + base_path() + "/.lock") !=
                                           line.npos;
                                  })
                   .empty());
  ExpectServes(kWeb);
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  daemon_ = std::move(second);
  AwaitFront(kWeb);
  ExpectServes(kWeb);
}

TEST_F(DiscoveryTest, DrainRemovesFrontsAtOnceAndLetsCallsFinish) {
  RecordingBackend& shim = StartWorkload(kWeb);
  StartShims(Fronts::kEach);
  AwaitFront(kWeb);
  RawPeer idle = FrontPeer(kWeb);
  ExpectServed(idle, 1, TaskCall("State", "web"), kWeb);
  RawPeer busy = FrontPeer(kWeb);
  EXPECT_TRUE(busy.Send(Request(1, TaskCall("Hold", "web"))));
  shim.WaitForMessages(1, 1);
  daemon_->Signal(SIGTERM);
  idle.ExpectEnd();
  AwaitNoFront(kWeb);
  EXPECT_TRUE(Eventually([this] { return Left().empty(); }));
  EXPECT_THAT(busy.Exchange(Request(3, TaskCall("State", "web"))),
              IsStatus(3, StatusCode::kUnavailable, "draining"));
  EXPECT_TRUE(shim.Send(1, Response(1, "finished")));
  EXPECT_EQ(busy.Receive(), Response(1, "finished"));
  busy.ExpectEnd();
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

TEST_F(DiscoveryTest, WorkloadsThatComeWhileItDrainsGetNoFront) {
  RecordingBackend& shim = StartWorkload(kWeb);
  StartShims(Fronts::kEach);
  AwaitFront(kWeb);
  RawPeer busy = FrontPeer(kWeb);
  EXPECT_TRUE(busy.Send(Request(1, TaskCall("Hold", "web"))));
  shim.WaitForMessages(0, 1);
  daemon_->Signal(SIGTERM);
  AwaitNoFront(kWeb);
  StartWorkload(kOther);
  EXPECT_TRUE(shim.Send(0, Response(1, "finished")));
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  EXPECT_THAT(Left(), IsEmpty());
}

// ---- Reload

TEST_F(DiscoveryTest, ReloadChangesTheAccessOfFrontsThatAreThere) {
  StartWorkload(kWeb);
  StartShims(Fronts::kEach, {.listener = "mode = \"0600\"\nowner = \"1235\"\n"});
  AwaitFront(kWeb);
  RawPeer peer = FrontPeer(kWeb);
  ExpectServed(peer, 1, TaskCall("State", "web"), kWeb);
  ReloadShims(Fronts::kEach, {.listener = "mode = \"0666\"\nowner = \"1234\"\n"});
  EXPECT_TRUE(Eventually([this] {
    struct stat front = {};
    return ::lstat(FrontOf(kWeb).c_str(), &front) == 0 && (front.st_mode & 07777) == 0666 &&
           front.st_uid == 1234;
  }));
  ExpectServed(peer, 3, TaskCall("State", "web"), kWeb);
  StartWorkload(kOther);
  AwaitFront(kOther);
  struct stat front = {};
  ASSERT_EQ(::lstat(FrontOf(kOther).c_str(), &front), 0);
  EXPECT_EQ(front.st_mode & 07777, 0666U);
  EXPECT_EQ(front.st_uid, 1234U);
}

TEST_F(DiscoveryTest, ReloadWithoutTheListenerRemovesItsFronts) {
  StartWorkload(kWeb);
  StartShims(Fronts::kBoth);
  AwaitFront(kWeb);
  RawPeer peer = FrontPeer(kWeb);
  ExpectServed(peer, 1, TaskCall("State", "web"), kWeb);
  // No rule is for peers of a removed listener.
  ReloadShims(Fronts::kOne, {.rules = std::string(kRootMayAll) + "listeners = [\"all\"]\n"});
  peer.ExpectEnd();
  AwaitNoFront(kWeb);
  EXPECT_TRUE(Eventually([this] { return Left().empty(); }));
  RawPeer all = AllPeer();
  AwaitRouted(all, kWeb, 1);
}

TEST_F(DiscoveryTest, AReloadedListenerThatStaysKeepsItsFrontsAndPeers) {
  StartWorkload(kWeb);
  StartShims(Fronts::kEach);
  AwaitFront(kWeb);
  struct stat before = {};
  ASSERT_EQ(::lstat(FrontOf(kWeb).c_str(), &before), 0);
  RawPeer peer = FrontPeer(kWeb);
  ExpectServed(peer, 1, TaskCall("State", "web"), kWeb);
  ReloadShims(Fronts::kEach, {.head = "[limits]\ncalls_per_user = 77\n"});
  ExpectServed(peer, 3, TaskCall("State", "web"), kWeb);
  ExpectServes(kWeb);
  struct stat after = {};
  ASSERT_EQ(::lstat(FrontOf(kWeb).c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
}

}  // namespace
}  // namespace integration
