// SPDX-License-Identifier: Apache-2.0
#include "proxy/user_name_reader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/run_until.h"
#include "ttrpc/event_loop.h"

namespace proxyd {
namespace {

// A user database that answers once the test allows it.
class SlowDatabase {
 public:
  std::string LookUp(uid_t uid) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
    return uid == 7 ? "" : "user" + std::to_string(uid);
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

class UserNameReaderTest : public testing::Test {
 protected:
  // The thread must leave the database before it is destroyed.
  ~UserNameReaderTest() override {
    database_.Open();
    names_.FindBy(1000, UserNames::Clock::now() + std::chrono::hours(1));
  }

  std::unique_ptr<UserNameReader::Request> Read(uid_t uid) {
    return reader_->Read(uid, [this](std::string name) { answers_.push_back(std::move(name)); });
  }

  SlowDatabase database_;
  UserNames names_{[this](uid_t uid) { return database_.LookUp(uid); }};
  ttrpc::EventLoop loop_;
  std::vector<std::string> answers_;
  std::unique_ptr<UserNameReader> reader_ =
      std::make_unique<UserNameReader>(loop_.io(), &names_, std::chrono::hours(1));
};

TEST_F(UserNameReaderTest, ANameArrivesOnTheLoop) {
  EXPECT_EQ(reader_->ReadNow(1000), std::nullopt);
  const auto one = Read(1000);
  const auto two = Read(1000);
  database_.Open();
  ::test::RunUntil(loop_, [this] { return answers_.size() == 2; });
  EXPECT_EQ(answers_, (std::vector<std::string>{"user1000", "user1000"}));
  EXPECT_EQ(reader_->ReadNow(1000), "user1000") << "it is known now";
}

TEST_F(UserNameReaderTest, AUserWithoutANameHasAnAnswer) {
  EXPECT_EQ(reader_->ReadNow(7), std::nullopt);
  const auto request = Read(7);
  database_.Open();
  ::test::RunUntil(loop_, [this] { return !answers_.empty(); });
  EXPECT_EQ(answers_, std::vector<std::string>{""});
  EXPECT_EQ(reader_->ReadNow(7), "");
}

// A peer whose request was answered may be closed, and others with it.
TEST_F(UserNameReaderTest, AnAnswerMayDestroyAnotherRequest) {
  EXPECT_EQ(reader_->ReadNow(1000), std::nullopt);
  std::unique_ptr<UserNameReader::Request> other;
  std::unique_ptr<UserNameReader::Request> one = reader_->Read(1000, [&](const std::string& name) {
    answers_.push_back(name);
    other.reset();
    one.reset();
  });
  other = Read(1000);
  database_.Open();
  ::test::RunUntil(loop_, [this] { return !answers_.empty(); });
  EXPECT_EQ(answers_, std::vector<std::string>{"user1000"});
}

TEST_F(UserNameReaderTest, ADatabaseThatHangsIsNotAwaitedForLong) {
  reader_ = std::make_unique<UserNameReader>(loop_.io(), &names_, std::chrono::milliseconds(1));
  EXPECT_EQ(reader_->ReadNow(1000), std::nullopt);
  const auto request = Read(1000);
  ::test::RunUntil(loop_, [this] { return !answers_.empty(); });
  EXPECT_EQ(answers_, std::vector<std::string>{""});
}

TEST_F(UserNameReaderTest, WithoutADatabaseNobodyHasAName) {
  UserNameReader reader(loop_.io(), nullptr);
  EXPECT_EQ(reader.ReadNow(1000), "");
}

}  // namespace
}  // namespace proxyd
