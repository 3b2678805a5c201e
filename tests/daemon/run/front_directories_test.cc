// SPDX-License-Identifier: Apache-2.0
#include "run/front_directories.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "support/temp_folder.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class FrontDirectoriesTest : public ::testing::Test {
 protected:
  FrontDirectoriesTest() : umask_(::umask(077)) {}
  ~FrontDirectoriesTest() override { ::umask(umask_); }

  // Makes the directories of a listener with this address, below the test's directory.
  ttrpc::Status Make(const std::string& address, mode_t mode = 0600) {
    return MakeFor(SocketTemplate{folder_ / address}, mode);
  }
  static ttrpc::Status MakeFor(ListenerAddress address, mode_t mode = 0600) {
    Config config;
    config.listeners.push_back({.name = "shims",
                                .address = std::move(address),
                                .discovery = {},
                                .access = {.owner = {}, .group = {}, .mode = mode},
                                .timeouts = {},
                                .connections_per_user = {},
                                .position = {}});
    return MakeFrontDirectories(config);
  }
  mode_t ModeOf(const std::string& name) const {
    struct stat info {};
    EXPECT_EQ(::stat((folder_ / name).c_str(), &info), 0) << name;
    EXPECT_TRUE(S_ISDIR(info.st_mode)) << name;
    return info.st_mode & 07777U;
  }

  const mode_t umask_;
  const ::test::TempFolder folder_;
};

TEST_F(FrontDirectoriesTest, AreMadeWithThoseAboveThem) {
  ASSERT_TRUE(Make("a/b/{namespace}/{id}.sock").ok());
  EXPECT_EQ(ModeOf("a"), 0711U);
  EXPECT_EQ(ModeOf("a/b"), 0711U);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "a/b")) << "placeholders have none yet";
  EXPECT_TRUE(Make("a/b/{namespace}/{id}.sock").ok()) << "they exist already";
}

TEST_F(FrontDirectoriesTest, MayBeListedByThoseWhoMayConnect) {
  for (const mode_t mode : {0660, 0606, 0666}) {
    const std::string name = std::to_string(mode);
    ASSERT_TRUE(Make(name + "/{id}.sock", mode).ok());
    EXPECT_EQ(ModeOf(name), 0755U) << name;
  }
}

TEST_F(FrontDirectoriesTest, KeepTheModeThatSomebodyGaveThem) {
  std::filesystem::create_directory(folder_ / "own");
  ASSERT_EQ(::chmod((folder_ / "own").c_str(), 0750), 0);
  ASSERT_TRUE(Make("own/{id}").ok());
  EXPECT_EQ(ModeOf("own"), 0750U);
}

TEST_F(FrontDirectoriesTest, ALinkMayLeadToThem) {
  std::filesystem::create_directory(folder_ / "real");
  std::filesystem::create_symlink("real", folder_ / "link");
  ASSERT_TRUE(Make("link/fronts/{id}").ok());
  EXPECT_EQ(ModeOf("real/fronts"), 0711U);
}

TEST_F(FrontDirectoriesTest, AnErrorNamesListenerAndDirectory) {
  std::ofstream(folder_ / "file") << "";
  EXPECT_EQ(Make("file/{id}").message(), "listener \"shims\": directory " + (folder_ / "file") +
                                             " cannot be made: Not a directory");
  EXPECT_EQ(Make("file/below/{id}").message(), "listener \"shims\": directory " +
                                                   (folder_ / "file/below") +
                                                   " cannot be made: Not a directory");
  std::filesystem::create_symlink("nowhere", folder_ / "broken");
  EXPECT_FALSE(Make("broken/{id}").ok());
  EXPECT_THAT(folder_.List(), ElementsAre("broken", "file"));
}

TEST_F(FrontDirectoriesTest, OtherListenersNeedNone) {
  EXPECT_TRUE(MakeFor(ttrpc::Address::Parse("unix://" + (folder_ / "a/b.sock")).value()).ok());
  EXPECT_THAT(folder_.List(), IsEmpty());
}

}  // namespace
}  // namespace proxyd
