// SPDX-License-Identifier: Apache-2.0
//
// Everything that a reload makes outside the loop.
#include "run/prepared_reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "proxy/daemon_info.h"
#include "support/temp_folder.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class PreparedReloadTest : public ::testing::Test {
 protected:
  PreparedReload Read(const std::string& text) {
    std::ofstream(folder_ / "c.toml") << text;
    return PrepareReload({.path = folder_ / "c.toml",
                          .log_level = log_level_,
                          .sandbox = sandbox_,
                          .here = {},
                          .before = before_});
  }
  std::string Listener() const {
    return "[[listener]]\nname = \"front\"\naddress = \"unix://" + (folder_ / "front") + "\"\n";
  }

  const ::test::TempFolder folder_;
  const SnapshotPtr before_ = MakeSnapshot({});
  std::optional<LogLevel> log_level_;
  std::optional<SandboxPlan> sandbox_;
};

TEST_F(PreparedReloadTest, HasAllThatTheLoopNeeds) {
  log_level_ = LogLevel::kDebug;
  const PreparedReload reading = Read(Listener());
  EXPECT_THAT(reading.errors, IsEmpty());
  EXPECT_THAT(reading.warnings, SizeIs(1));  // no rule admits anyone
  ASSERT_NE(reading.snapshot, nullptr);
  EXPECT_EQ(reading.snapshot->config.log.level, LogLevel::kDebug);
  EXPECT_EQ(reading.digest, DigestOf(reading.snapshot->config));
  EXPECT_EQ(reading.sockets.size(), 1U);
  EXPECT_THAT(folder_.List(), ElementsAre(".front.lock", "c.toml", "front"));
}

TEST_F(PreparedReloadTest, WhatItMadeGoesWithIt) {
  static_cast<void>(Read(Listener()));
  EXPECT_THAT(folder_.List(), ElementsAre("c.toml"));
}

TEST_F(PreparedReloadTest, AnErrorOfTheFileIsTheOutcome) {
  const PreparedReload reading = Read("[log]\nlevel = 1\n");
  EXPECT_THAT(reading.errors, SizeIs(1));
  EXPECT_EQ(reading.snapshot, nullptr);
  EXPECT_EQ(reading.sockets.size(), 0U);
}

// The check of the sandbox comes first. Otherwise its refusal would look like another error.
TEST_F(PreparedReloadTest, TheSandboxIsAskedFirst) {
  sandbox_ = SandboxPlan{};
  const PreparedReload reading = Read(Listener());
  EXPECT_THAT(reading.errors,
              ElementsAre("needs a restart: " + folder_.path() + " is outside the sandbox"));
  EXPECT_THAT(folder_.List(), ElementsAre("c.toml"));
}

// A confined daemon can make directories only where the sandbox leaves that.
TEST_F(PreparedReloadTest, DirectoriesOfSocketsOfWorkloadsAreMadeWithinTheSandbox) {
  const std::string text =
      "[[listener]]\nname = \"all\"\ndiscover = \"directory\"\ndirectory = \"" +
      (folder_ / "agents") + "\"\naddress = \"unix://" + (folder_ / "fronts/{name}") + "\"\n";
  struct stat info {};
  ASSERT_EQ(::stat(folder_.path().c_str(), &info), 0);
  sandbox_ = SandboxPlan{.socket_folders = {folder_.path()}, .discovery = true};
  sandbox_->list_folders = {folder_.path()};
  sandbox_->ids = {{folder_.path(), {info.st_dev, info.st_ino}}};
  EXPECT_THAT(Read(text).errors,
              ElementsAre("needs a restart: " + (folder_ / "fronts") + " is outside the sandbox"));
  EXPECT_THAT(folder_.List(), ElementsAre("c.toml"));
  sandbox_->front_folders = {folder_.path()};
  EXPECT_THAT(Read(text).errors, IsEmpty());
  EXPECT_THAT(folder_.List(), ElementsAre("c.toml", "fronts"));
}

}  // namespace
}  // namespace proxyd
