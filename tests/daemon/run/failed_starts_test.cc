// SPDX-License-Identifier: Apache-2.0
#include "run/failed_starts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "support/temp_folder.h"

namespace proxyd {
namespace {

using std::chrono::milliseconds;

class FailedStartsTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) const { std::ofstream(path_) << text; }
  static std::string Read(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const test::TempFolder folder_;
  const std::string path_ = folder_ / "failed-starts";
  const FailedStarts failed_{path_};
};

TEST_F(FailedStartsTest, PausesGrowUpToFiveSeconds) {
  std::vector<milliseconds> pauses;
  pauses.reserve(7);
  for (int i = 0; i < 7; ++i) pauses.push_back(FailedStarts(path_).Count());
  EXPECT_THAT(pauses, ::testing::ElementsAre(milliseconds(0), milliseconds(100), milliseconds(500),
                                             milliseconds(2000), milliseconds(5000),
                                             milliseconds(5000), milliseconds(5000)));
  EXPECT_EQ(Read(path_), "5\n");
}

TEST_F(FailedStartsTest, ASuccessBeginsAgain) {
  failed_.Count();
  failed_.Count();
  failed_.Forget();
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(failed_.Count(), milliseconds(0));
  failed_.Forget();
  failed_.Forget();  // nothing is there
}

TEST_F(FailedStartsTest, WhatIsNoCountIsNone) {
  for (const std::string text : {"", "\n", "3", "x\n", "-1\n", " 3\n", "3\n3\n", "3 \n",
                                 "99999999999999999999\n", "00000000000000000000000000003\n"}) {
    Write(text);
    EXPECT_EQ(failed_.Count(), milliseconds(0)) << text;
    EXPECT_EQ(Read(path_), "1\n") << text;
  }
  Write("1000000\n");
  EXPECT_EQ(failed_.Count(), milliseconds(5000));
  EXPECT_EQ(Read(path_), "5\n");
}

TEST_F(FailedStartsTest, NothingIsWrittenThroughALink) {
  const std::string other = folder_ / "other";
  std::ofstream(other) << "4\n";
  std::filesystem::create_symlink(other, path_);
  EXPECT_EQ(failed_.Count(), milliseconds(0));
  EXPECT_EQ(Read(other), "4\n");
  EXPECT_FALSE(std::filesystem::is_symlink(path_));
  std::filesystem::remove(path_);
  std::filesystem::create_hard_link(other, path_);
  EXPECT_EQ(failed_.Count(), milliseconds(5000));
  EXPECT_EQ(Read(other), "4\n");
}

TEST_F(FailedStartsTest, APipeIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(failed_.Count(), milliseconds(0));
  EXPECT_EQ(Read(path_), "1\n");
}

TEST_F(FailedStartsTest, WhereNothingCanBeCountedThereAreNoPauses) {
  std::filesystem::create_directories(path_ + "/below");
  const FailedStarts nowhere(folder_ / "none/failed-starts");
  const FailedStarts unnamed("");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(failed_.Count(), milliseconds(0));
    EXPECT_EQ(nowhere.Count(), milliseconds(0));
    EXPECT_EQ(unnamed.Count(), milliseconds(0));
  }
  unnamed.Forget();
}

TEST(FileOfFailedStartsTest, IsInTheFirstRuntimeDirectory) {
  ::unsetenv("RUNTIME_DIRECTORY");
  EXPECT_EQ(FileOfFailedStarts(), "");
  for (const auto& [folders, file] :
       std::vector<std::pair<std::string, std::string>>{{"/run/a", "/run/a/failed-starts"},
                                                        {"/run/a:/run/b", "/run/a/failed-starts"},
                                                        {"", ""},
                                                        {"run/a", ""}}) {
    ::setenv("RUNTIME_DIRECTORY", folders.c_str(), 1);
    EXPECT_EQ(FileOfFailedStarts(), file) << folders;
  }
  ::unsetenv("RUNTIME_DIRECTORY");
}

}  // namespace
}  // namespace proxyd
