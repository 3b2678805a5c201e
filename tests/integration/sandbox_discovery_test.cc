// SPDX-License-Identifier: Apache-2.0
//
// The sandbox of a daemon that discovers workloads: what it leaves for that, what it still refuses,
// and which reloads need a restart.
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "harness/attacker.h"
#include "harness/proxy_test.h"

namespace integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

bool KernelHasLandlock() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 0;
}

class SandboxDiscoveryTest : public ProxyTest {
 protected:
  void StartAttacked(const Scene& scene) {
    WriteConfig(scene);
    StartBackend();
    daemon_ = std::make_unique<DaemonProcess>(
        std::vector<std::string>{"--config", config_path(), "--log-level", "debug"},
        DaemonSurroundings{.environment = attacker_.environment()});
    ASSERT_TRUE(daemon_->WaitUntilReady());
    attacker_.Run(AttackThread::kMain, [this] { Peer().Close(); });
  }
  // Returns the rules and a listener that follows the sockets in a directory.
  static std::string Discovering(const std::string& directory, const std::string& fronts) {
    return std::string(kDefaultRules) +
           "[[listener]]\nname = \"found\"\ndiscover = \"directory\"\ndirectory = \"" + directory +
           "\"\naddress = \"unix://" + fronts + "/{name}\"\n";
  }
  void ExpectReloads(const Scene& scene) {
    const size_t before = daemon_->log().size();
    WriteConfig(scene);
    Reload("reloaded: ");
    EXPECT_THAT(daemon_->log().substr(before), Not(HasSubstr("outside the sandbox")));
  }
  void ExpectRefused(const Scene& scene, const std::string& outside) {
    WriteConfig(scene);
    Reload("reload refused: the configuration is unchanged");
    EXPECT_THAT(daemon_->log(),
                HasSubstr("error needs a restart: " + outside + " outside the sandbox\n"));
  }

  const TempDir other_;
  Attacker attacker_{folder_ / "attacks", config_path()};
};

TEST_F(SandboxDiscoveryTest, WithoutDiscoveryNothingIsWatchedOrMade) {
  StartAttacked({});
  EXPECT_EQ(attacker_.ErrorOf(Attack::kWatchFolder), EPERM);
  EXPECT_EQ(attacker_.ErrorOf(Attack::kMakeFolder), EPERM);
  EXPECT_EQ(attacker_.ErrorOf(Attack::kRemoveFolder), EPERM);
}

// Landlock does not restrict watches, which report names of files but not their contents.
TEST_F(SandboxDiscoveryTest, OnlyItsOwnDirectoriesAreReadAndChanged) {
  if (!KernelHasLandlock()) GTEST_SKIP() << "this kernel has no Landlock";
  StartAttacked({.rules = Discovering(folder_ / "agents", folder_ / "fronts")});
  EXPECT_EQ(attacker_.ErrorOf(Attack::kWatchFolder), 0);
  for (const Attack attack :
       {Attack::kReadFile, Attack::kListFolder, Attack::kWriteFile, Attack::kMakeFile,
        Attack::kRemoveFile, Attack::kMakeFolder, Attack::kRemoveFolder, Attack::kMakeLink,
        Attack::kBindSocket, Attack::kExecute}) {
    EXPECT_EQ(attacker_.ErrorOf(attack), EACCES) << static_cast<int>(attack);
  }
}

TEST_F(SandboxDiscoveryTest, WithoutTheSandboxTheAttacksSucceed) {
  StartAttacked({.head = "[daemon]\nsandbox = false\n"});
  EXPECT_EQ(attacker_.ErrorOf(Attack::kWatchFolder), 0);
  EXPECT_EQ(attacker_.ErrorOf(Attack::kRemoveFolder), 0);
}

TEST_F(SandboxDiscoveryTest, TheDirectoryOfSocketsIsMadeBeforeTheSandbox) {
  Start({.rules = Discovering(folder_ / "agents", folder_ / "a/fronts")});
  struct stat info {};
  ASSERT_EQ(::stat((folder_ / "a/fronts").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0711U);
  EXPECT_EQ(info.st_uid, ::geteuid());
}

TEST_F(SandboxDiscoveryTest, AReloadToDiscoveryNeedsARestart) {
  Start();
  ExpectRefused({.rules = Discovering(folder_ / "agents", folder_ / "fronts")},
                (folder_ / "fronts") + " is");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "fronts"));
}

TEST_F(SandboxDiscoveryTest, AReloadWithinItMayFollowOtherDirectoriesBeside) {
  const std::string fronts = folder_ / "fronts";
  Start({.rules = Discovering(other_ / "agents", fronts)});
  ExpectReloads({.rules = Discovering(other_ / "more", fronts)});
  ExpectReloads({.rules = Discovering(other_ / "more", fronts + "/below")});
  EXPECT_TRUE(std::filesystem::is_directory(fronts + "/below"));
  ExpectRefused({.rules = Discovering(folder_ / "agents", fronts)}, (folder_ / "agents") + " is");
  ExpectRefused({.rules = Discovering(other_ / "more", other_ / "fronts")},
                (other_ / "fronts") + " is");
}

// A new installation has no listeners, and gets them by a reload.
TEST_F(SandboxDiscoveryTest, AConfigurationWithoutListenersMayDiscoverLater) {
  WriteFile(config_path(), "");
  daemon_ = std::make_unique<DaemonProcess>(
      std::vector<std::string>{"--config", config_path()},
      DaemonSurroundings{.environment = {"RUNTIME_DIRECTORY=" + other_.path()}});
  ASSERT_TRUE(daemon_->WaitUntilReady());
  EXPECT_THAT(daemon_->log(), Not(HasSubstr("warn sandbox")));
  // Nothing is at the sources, so that the test finds none of the machine's own workloads.
  const std::string shims =
      "[[listener]]\nname = \"shims\"\ndiscover = \"containerd\"\n"
      "state = \"/run/no-such-containerd\"\naddress = \"unix://" +
      (other_ / "shims/{namespace}/{id}.sock") + "\"\n";
  const std::string agents =
      "[[listener]]\nname = \"agents\"\ndiscover = \"kata\"\n"
      "directories = [\"/run/no-such-kata\"]\naddress = \"unix://" +
      (other_ / "agents/{id}.sock") + "\"\n";
  WriteFile(config_path(),
            shims + agents + "[[backend]]\nname = \"found\"\naddress = \"discovered\"\n");
  Reload("reloaded: ");
  EXPECT_THAT(daemon_->log(), Not(HasSubstr("outside the sandbox")));
  EXPECT_TRUE(std::filesystem::is_directory(other_ / "shims"));
  EXPECT_TRUE(std::filesystem::is_directory(other_ / "agents"));
}

}  // namespace
}  // namespace integration
