// SPDX-License-Identifier: Apache-2.0
#include "observe/user_names.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace proxyd {
namespace {

using std::chrono::hours;

// A user database that answers when the test allows it, and records what it was asked for.
class Database {
 public:
  std::string LookUp(uid_t uid) {
    std::unique_lock lock(mutex_);
    asked_.push_back(uid);
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    return uid == 7 ? "" : "user" + std::to_string(uid);
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void AwaitQuestions(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked_.size() >= count; });
  }
  std::vector<uid_t> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  std::vector<uid_t> asked_;
};

class UserNamesTest : public testing::Test {
 protected:
  static UserNames::Clock::time_point Later() { return UserNames::Clock::now() + hours(1); }
  static UserNames::Clock::time_point Soon() {
    return UserNames::Clock::now() + std::chrono::milliseconds(1);
  }

  Database database_;
  UserNames names_{[this](uid_t uid) { return database_.LookUp(uid); }};
};

TEST_F(UserNamesTest, ANameIsLookedUpOnceAndKept) {
  EXPECT_EQ(names_.FindBy(1000, Later()), "user1000");
  EXPECT_EQ(names_.FindBy(1000, Later()), "user1000");
  EXPECT_EQ(names_.Find(1000), "user1000");
  EXPECT_EQ(names_.FindBy(7, Later()), "") << "the user has no name";
  EXPECT_EQ(names_.Find(7), "");
  EXPECT_EQ(database_.asked(), (std::vector<uid_t>{1000, 7}));
}

TEST_F(UserNamesTest, FindNeverWaits) {
  database_.Close();
  EXPECT_EQ(names_.Find(1000), "");
  EXPECT_EQ(names_.Find(1000), "");
  database_.AwaitQuestions(1);
  EXPECT_EQ(names_.Find(1000), "");
  database_.Open();
  EXPECT_EQ(names_.FindBy(1000, Later()), "user1000");
  EXPECT_EQ(database_.asked(), std::vector<uid_t>{1000}) << "it was being asked for already";
}

// A decision must not use the name that another user had before.
TEST_F(UserNamesTest, KnownIsNothingUntilTheDatabaseHasAnswered) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const ttrpc::UniqueFd answers(ends[0]);
  names_.ReportTo(ttrpc::UniqueFd(ends[1]));
  EXPECT_EQ(names_.Known(1000), std::nullopt);
  EXPECT_EQ(names_.FindBy(1000, Later()), "user1000");
  EXPECT_EQ(names_.Known(1000), "user1000");
  uid_t uid = 0;
  ASSERT_EQ(::read(answers.get(), &uid, sizeof uid), ssize_t{sizeof uid});
  EXPECT_EQ(uid, 1000U);
  EXPECT_EQ(names_.Known(static_cast<uid_t>(-1)), "");
}

// If a directory server is down, the audit's lines wait for it once, and not once for each user.
TEST_F(UserNamesTest, ADatabaseThatHangsIsWaitedForOnce) {
  database_.Close();
  EXPECT_EQ(names_.FindBy(1000, Soon()), "");
  EXPECT_EQ(names_.FindBy(1001, Later()), "") << "a second wait would not return";
  database_.Open();
  database_.AwaitQuestions(2);
  EXPECT_EQ(names_.FindBy(1001, Later()), "user1001");
}

TEST_F(UserNamesTest, NobodyIsNotLookedUp) {
  EXPECT_EQ(names_.FindBy(static_cast<uid_t>(-1), Later()), "");
  EXPECT_TRUE(database_.asked().empty());
}

TEST_F(UserNamesTest, TheOldestIsForgotten) {
  for (uid_t uid = 10000; uid < 10000 + UserNames::kNames; ++uid)
    ASSERT_NE(names_.FindBy(uid, Later()), "");
  EXPECT_EQ(names_.Find(10000), "user10000");
  EXPECT_EQ(names_.FindBy(1, Later()), "user1");
  EXPECT_EQ(names_.Find(10001), "user10001");
  EXPECT_EQ(names_.Find(10000), "");
  EXPECT_EQ(names_.FindBy(10000, Later()), "user10000");
}

TEST(SystemUserNamesTest, RootHasAName) {
  UserNames names;
  EXPECT_EQ(names.FindBy(0, UserNames::Clock::now() + hours(1)), "root");
}

// The thread hangs in a database that does not answer any more. The process must still be able to
// end.
TEST(SystemUserNamesTest, AThreadThatHangsIsLeftAndCounted) {
  static Database database;  // outlives the thread
  database.Close();
  {
    UserNames names([](uid_t uid) { return database.LookUp(uid); });
    EXPECT_EQ(names.Find(1000), "");
    database.AwaitQuestions(1);
    EXPECT_EQ(UserNames::stuck(), 0U);
  }
  EXPECT_EQ(UserNames::stuck(), 1U);
  database.Open();
  while (UserNames::stuck() != 0) std::this_thread::yield();
}

}  // namespace
}  // namespace proxyd
