// SPDX-License-Identifier: Apache-2.0
//
// A real inotify on a temporary directory. The kernel queues an event before the system call that
// causes it returns, so nothing has to wait.
#include "discovery/tree_watch.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "harness.h"
#include "support/no_more_descriptors.h"

namespace proxyd {
namespace {

using test::MakeDirectories;
using test::WriteTrusted;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class TreeWatchTest : public testing::Test, protected TreeWatch::Sink {
 protected:
  TreeWatchTest() : inotify_(*Inotify::Create()) { Begin(2); }

  void Begin(size_t depth) {
    tree_.reset();
    const auto is_file = [](std::string_view name) { return name == "file"; };
    TreeWatch::Sink& sink = *this;
    tree_ = std::make_unique<TreeWatch>(
        *inotify_, TreeWatch::Options{.root = root_, .depth = depth, .is_file = is_file}, sink);
  }
  // Returns what was reported: +DIRECTORY for all of it, *DIRECTORY:FILES, -DIRECTORY, !PROBLEM.
  std::vector<std::string> Changes() {
    if (inotify_->Read()) {
      tree_->HandleChanges();
    } else {
      tree_->Scan();
    }
    return std::exchange(log_, {});
  }
  std::vector<std::string> Scan() {
    tree_->Scan();
    return std::exchange(log_, {});
  }

  static std::string Joined(const TreeWatch::Names& names) {
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : "/") + name;
    return all;
  }
  void OnDirectory(const TreeWatch::Names& names, int directory,
                   const TreeWatch::Changed* changed) override {
    EXPECT_EQ(::faccessat(directory, ".", F_OK, 0), 0);
    if (changed == nullptr) return log_.push_back("+" + Joined(names));
    std::string text = "*" + Joined(names) + ":";
    for (const std::string& name : *changed) text += name;
    log_.push_back(text);
  }
  void OnDirectoryGone(const TreeWatch::Names& names) override {
    log_.push_back("-" + Joined(names));
  }
  void OnProblem(const TreeWatch::Names& names, const std::string& what) override {
    log_.push_back("!" + Joined(names) + " " + what);
  }

  ::test::TempFolder folder_;
  const std::string root_ = folder_ / "a/b";
  std::vector<std::string> log_;
  std::unique_ptr<Inotify> inotify_;
  std::unique_ptr<TreeWatch> tree_;
};

TEST_F(TreeWatchTest, FindsWhatIsThere) {
  MakeDirectories(root_ + "/n/1");
  MakeDirectories(root_ + "/n/.hidden");
  MakeDirectories(root_ + "/.m/1");
  WriteTrusted(root_ + "/n/no-directory", "");
  ASSERT_EQ(::symlink("1", (root_ + "/n/link").c_str()), 0);
  EXPECT_THAT(Scan(), ElementsAre("+n/1"));
  EXPECT_THAT(Changes(), IsEmpty());
}

TEST_F(TreeWatchTest, FollowsWhatComesAndGoes) {
  MakeDirectories(root_);
  EXPECT_THAT(Scan(), IsEmpty());
  MakeDirectories(root_ + "/n/1");
  EXPECT_THAT(Changes(), ElementsAre("+n/1"));
  MakeDirectories(root_ + "/n/2");
  EXPECT_THAT(Changes(), ElementsAre("+n/2"));
  ASSERT_EQ(::rmdir((root_ + "/n/1").c_str()), 0);
  EXPECT_THAT(Changes(), ElementsAre("-n/1"));
  ASSERT_EQ(::rename((root_ + "/n/2").c_str(), (root_ + "/n/.2").c_str()), 0);
  EXPECT_THAT(Changes(), ElementsAre("-n/2"));
  // A hidden directory is not followed any more.
  WriteTrusted(root_ + "/n/.2/file", "");
  EXPECT_THAT(Changes(), IsEmpty());
  ASSERT_EQ(::rename((root_ + "/n/.2").c_str(), (root_ + "/n/3").c_str()), 0);
  EXPECT_THAT(Changes(), ElementsAre("+n/3"));
  ASSERT_EQ(::rename((root_ + "/n").c_str(), (folder_ / "away").c_str()), 0);
  EXPECT_THAT(Changes(), ElementsAre("-n/3"));
}

TEST_F(TreeWatchTest, ReportsTheFilesThatChange) {
  MakeDirectories(root_ + "/n/1");
  EXPECT_THAT(Scan(), ElementsAre("+n/1"));
  const std::string file = root_ + "/n/1/file";
  WriteTrusted(root_ + "/n/1/another", "");
  EXPECT_THAT(Changes(), IsEmpty());
  WriteTrusted(file, "x");
  EXPECT_THAT(Changes(), ElementsAre("*n/1:file"));
  ASSERT_EQ(::rename((root_ + "/n/1/another").c_str(), file.c_str()), 0);
  EXPECT_THAT(Changes(), ElementsAre("*n/1:file"));
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  EXPECT_THAT(Changes(), ElementsAre("*n/1:file"));
  ASSERT_EQ(::unlink(file.c_str()), 0);
  EXPECT_THAT(Changes(), ElementsAre("*n/1:file"));
  ASSERT_EQ(::chmod((root_ + "/n/1").c_str(), 0755), 0);
  EXPECT_THAT(Changes(), ElementsAre("+n/1"));
}

TEST_F(TreeWatchTest, ADirectoryThatComesAgainIsANewOne) {
  MakeDirectories(root_ + "/n/1");
  EXPECT_THAT(Scan(), ElementsAre("+n/1"));
  ASSERT_EQ(::rmdir((root_ + "/n/1").c_str()), 0);
  MakeDirectories(root_ + "/n/1");
  EXPECT_THAT(Changes(), ElementsAre("-n/1", "+n/1"));
  MakeDirectories(root_ + "/n/2");
  EXPECT_THAT(Changes(), ElementsAre("+n/2"));
  ASSERT_EQ(::rename((root_ + "/n/2").c_str(), (root_ + "/n/1").c_str()), 0);
  EXPECT_THAT(Changes(), UnorderedElementsAre("-n/1", "-n/2", "+n/1"));
  // The new one is followed.
  WriteTrusted(root_ + "/n/1/file", "");
  EXPECT_THAT(Changes(), ElementsAre("*n/1:file"));
}

TEST_F(TreeWatchTest, TheRootMayComeLaterAndGoAndComeAgain) {
  EXPECT_THAT(Scan(), IsEmpty());
  MakeDirectories(folder_ / "a");
  EXPECT_THAT(Changes(), IsEmpty());
  MakeDirectories(root_ + "/n/1");
  EXPECT_THAT(Changes(), ElementsAre("+n/1"));
  // Any part of the path may go.
  ASSERT_EQ(::rename((folder_ / "a").c_str(), (folder_ / "z").c_str()), 0);
  EXPECT_THAT(Changes(), ElementsAre("-n/1"));
  MakeDirectories(folder_ / "z/b/n/2");
  EXPECT_THAT(Changes(), IsEmpty());
  ASSERT_EQ(::rename((folder_ / "z").c_str(), (folder_ / "a").c_str()), 0);
  EXPECT_THAT(Changes(), ElementsAre("+n/1", "+n/2"));
  std::filesystem::remove_all(folder_ / "a");
  Changes();
  MakeDirectories(root_ + "/n/3");
  EXPECT_THAT(Changes(), ElementsAre("+n/3"));
}

TEST_F(TreeWatchTest, TheRootMayBeALink) {
  MakeDirectories(folder_ / "a");
  MakeDirectories(folder_ / "one/n/1");
  MakeDirectories(folder_ / "two/n/2");
  ASSERT_EQ(::symlink("../one", root_.c_str()), 0);
  EXPECT_THAT(Scan(), ElementsAre("+n/1"));
  ASSERT_EQ(::unlink(root_.c_str()), 0);
  ASSERT_EQ(::symlink("../two", root_.c_str()), 0);
  EXPECT_THAT(Changes(), ElementsAre("-n/1", "+n/2"));
}

TEST_F(TreeWatchTest, WhenEventsAreLostEverythingIsExamined) {
  size_t most = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most;
  if (most == 0 || most > 100'000) GTEST_SKIP() << "the kernel's queue is too large";
  MakeDirectories(root_ + "/n/1");
  MakeDirectories(root_ + "/n/2");
  EXPECT_THAT(Scan(), ElementsAre("+n/1", "+n/2"));
  const std::string one = root_ + "/n/1/file";
  const std::string other = root_ + "/n/1/other";
  WriteTrusted(one, "");
  for (size_t i = 0; i <= most / 2; ++i) {
    ASSERT_EQ(::rename((i % 2 == 0 ? one : other).c_str(), (i % 2 == 0 ? other : one).c_str()), 0);
  }
  ASSERT_EQ(::rmdir((root_ + "/n/2").c_str()), 0);
  MakeDirectories(root_ + "/n/3");
  // The queue may hold more than one call reads.
  std::vector<std::string> all;
  for (std::vector<std::string> next = Changes(); !next.empty(); next = Changes()) {
    all.insert(all.end(), next.begin(), next.end());
  }
  EXPECT_THAT(all, testing::IsSupersetOf({"+n/1", "-n/2", "+n/3"}));
  WriteTrusted(root_ + "/n/3/file", "");
  EXPECT_THAT(Changes(), ElementsAre("*n/3:file"));
}

TEST_F(TreeWatchTest, OneDirectoryAloneIsFollowed) {
  Begin(0);
  EXPECT_THAT(Scan(), IsEmpty());
  MakeDirectories(root_);
  EXPECT_THAT(Changes(), ElementsAre("+"));
  WriteTrusted(root_ + "/file", "");
  EXPECT_THAT(Changes(), ElementsAre("*:file"));
  std::filesystem::remove_all(root_);
  EXPECT_THAT(Changes(), ElementsAre("-"));
}

// Workloads in use must not go because a descriptor is missing for a moment.
TEST_F(TreeWatchTest, AShortageLeavesWhatIsKnown) {
  MakeDirectories(root_ + "/n/1");
  EXPECT_THAT(Scan(), ElementsAre("+n/1"));
  WriteTrusted(root_ + "/n/1/file", "");
  {
    const ::test::NoMoreDescriptors none;
    EXPECT_THAT(Changes(), IsEmpty());
  }
  EXPECT_TRUE(tree_->incomplete());
  tree_->Retry();
  EXPECT_THAT(std::exchange(log_, {}), ElementsAre("+n/1"));
  EXPECT_FALSE(tree_->incomplete());
}

TEST_F(TreeWatchTest, AScanThatFellShortIsRepeated) {
  MakeDirectories(root_ + "/n/1");
  EXPECT_THAT(Scan(), ElementsAre("+n/1"));
  {
    const ::test::NoMoreDescriptors none;
    EXPECT_THAT(Scan(), ElementsAre("! " + root_ + ": Too many open files"));
  }
  EXPECT_TRUE(tree_->incomplete());
  MakeDirectories(root_ + "/n/2");
  tree_->Retry();
  EXPECT_THAT(std::exchange(log_, {}), ElementsAre("+n/1", "+n/2"));
  EXPECT_FALSE(tree_->incomplete());
  EXPECT_THAT(Changes(), IsEmpty());
}

// Makes the test one of another user, since root may read all directories.
class AsAnotherUser {
 public:
  explicit AsAnotherUser(const std::vector<std::string>& owned) : ours_(::geteuid()) {
    constexpr uid_t kUser = 4321;
    if (ours_ != 0) return;
    for (const std::string& path : owned) EXPECT_EQ(::chown(path.c_str(), kUser, kUser), 0) << path;
    EXPECT_EQ(::seteuid(kUser), 0);
  }
  ~AsAnotherUser() { EXPECT_EQ(::seteuid(ours_), 0); }

 private:
  const uid_t ours_;
};

// A failure that is no shortage is reported, and tried again as well.
TEST_F(TreeWatchTest, WhatIsUnreadableIsTriedAgain) {
  MakeDirectories(root_ + "/n/1");
  const AsAnotherUser user({folder_.path(), folder_ / "a", root_, root_ + "/n", root_ + "/n/1"});
  ASSERT_EQ(::chmod((root_ + "/n").c_str(), 0), 0);
  EXPECT_EQ(Scan().size(), 1U);
  EXPECT_TRUE(tree_->incomplete());
  ASSERT_EQ(::chmod((root_ + "/n").c_str(), 0700), 0);
  tree_->Retry();
  EXPECT_THAT(std::exchange(log_, {}), ElementsAre("+n/1"));
  EXPECT_FALSE(tree_->incomplete());
}

TEST_F(TreeWatchTest, ReportsEverythingAgainOnRequest) {
  MakeDirectories(root_ + "/n/1");
  MakeDirectories(root_ + "/m/1");
  EXPECT_THAT(Scan(), ElementsAre("+m/1", "+n/1"));
  tree_->ReportAll();
  EXPECT_THAT(std::exchange(log_, {}), UnorderedElementsAre("+m/1", "+n/1"));
}

}  // namespace
}  // namespace proxyd
