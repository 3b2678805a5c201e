// SPDX-License-Identifier: Apache-2.0
#include "observe/output_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Clock = OutputThread::Clock;

// Records what an output received, and controls how it behaves. It must outlive the output, which
// the thread owns.
class OutputBook {
 public:
  enum class Mode { kOpen, kHangs, kHeedsTheDeadline, kFails };

  explicit OutputBook(Mode mode = Mode::kOpen) : mode_(mode) {}

  int Take(std::string_view line, const WriteDeadline& deadline) {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    while (mode_ == Mode::kHangs || mode_ == Mode::kHeedsTheDeadline) {
      if (mode_ == Mode::kHeedsTheDeadline && deadline.passed()) return ETIMEDOUT;
      changed_.wait_for(lock, std::chrono::milliseconds(1));
    }
    if (mode_ == Mode::kFails) return EIO;
    lines_.emplace_back(line.substr(0, line.size() - 1));
    changed_.notify_all();
    return 0;
  }
  void Set(Mode mode) {
    const std::lock_guard lock(mutex_);
    mode_ = mode;
    changed_.notify_all();
  }
  void AwaitBegun(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_ >= count; });
  }
  std::vector<std::string> AwaitLines(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return lines_.size() >= count; });
    return lines_;
  }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  void NoteEnd() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  void AwaitEnd() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Mode mode_;
  size_t begun_ = 0;
  std::vector<std::string> lines_;
  bool ended_ = false;
};

class FakeOutput final : public LogOutput {
 public:
  explicit FakeOutput(OutputBook* book)
      : LogOutput(std::make_unique<WriteDeadline>()), book_(book) {}
  ~FakeOutput() override { book_->NoteEnd(); }
  bool keeps_time_and_level() const override { return true; }
  int Write(spdlog::level::level_enum /*level*/, std::string_view line) override {
    return book_->Take(line, deadline());
  }
  WriteResult WriteRaw(std::string_view lines) override {
    WriteResult result;
    while (result.error == 0 && result.kept < lines.size()) {
      const std::string_view left = lines.substr(result.kept);
      const size_t size = left.find('\n') + 1;
      result.error = book_->Take(left.substr(0, size), deadline());
      if (result.error == 0) result.kept += size;
    }
    return result;
  }

 private:
  OutputBook* book_;
};

class OutputThreadTest : public testing::Test {
 protected:
  ~OutputThreadTest() override {
    book_.Set(OutputBook::Mode::kOpen);
    thread_.Stop(Clock::now() + std::chrono::seconds(10));
    while (OutputThread::stuck() != 0) std::this_thread::yield();
  }
  void Use(OutputBook* book) { thread_.Replace(std::make_unique<FakeOutput>(book)); }
  void Push(const std::string& message) {
    thread_.Push({.time = {}, .level = spdlog::level::info, .message = message});
  }
  // Returns a thread that waits in Write(). After joining it, `result_` is valid.
  std::thread Writer(const std::string& lines) {
    return std::thread([this, lines] { result_ = thread_.Write(lines, given_up_); });
  }

  OutputBook book_;
  OutputBook next_;
  OutputBook third_;
  OutputThread thread_;
  std::atomic<bool> given_up_ = false;
  WriteResult result_;
};

TEST_F(OutputThreadTest, LinesAndAuditGoToTheOutput) {
  Use(&book_);
  Push("log");
  book_.AwaitLines(1);
  const WriteResult result = thread_.Write("a\nb\n", given_up_);
  EXPECT_EQ(result.error, 0);
  EXPECT_EQ(result.kept, 4U);
  EXPECT_THAT(book_.lines(), ElementsAre("log", "a", "b"));
  EXPECT_TRUE(thread_.Stop(Clock::now()));
}

TEST_F(OutputThreadTest, WhatHangsIsGivenUpWhenTheOutputIsReplaced) {
  book_.Set(OutputBook::Mode::kHangs);
  Use(&book_);
  Push("hangs");
  book_.AwaitBegun(1);
  Push("waits");
  Use(&next_);
  EXPECT_THAT(next_.AwaitLines(2), ElementsAre("hangs", "waits"));
  EXPECT_EQ(OutputThread::stuck(), 1U);
  Push("after");
  next_.AwaitLines(3);
  // The old thread ends with its output, and writes nothing more.
  book_.Set(OutputBook::Mode::kOpen);
  book_.AwaitEnd();
  EXPECT_TRUE(thread_.Stop(Clock::now()));
  EXPECT_THAT(next_.lines(), ElementsAre("hangs", "waits", "after"));
}

TEST_F(OutputThreadTest, AuditThatHangsGoesOnWithTheNextOutput) {
  book_.Set(OutputBook::Mode::kHangs);
  Use(&book_);
  std::thread writer = Writer("a\nb\n");
  book_.AwaitBegun(1);
  Use(&next_);
  writer.join();
  EXPECT_EQ(result_.error, 0);
  EXPECT_THAT(next_.lines(), ElementsAre("a", "b"));
}

// An output that stops at its deadline reports how far it got: no line is written twice, and no
// thread is abandoned.
TEST_F(OutputThreadTest, AuditThatIsCutShortGoesOnWhereItWas) {
  Use(&book_);
  Push("x");
  book_.AwaitLines(1);
  book_.Set(OutputBook::Mode::kHeedsTheDeadline);
  std::thread writer = Writer("a\nb\nc\n");
  book_.AwaitBegun(2);
  Use(&next_);
  writer.join();
  EXPECT_EQ(result_.error, 0);
  EXPECT_EQ(result_.kept, 6U);
  EXPECT_THAT(next_.lines(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(OutputThread::stuck(), 0U);
}

TEST_F(OutputThreadTest, ReplacedTwiceWhileItHangsTheLastOutputCounts) {
  book_.Set(OutputBook::Mode::kHangs);
  Use(&book_);
  Push("hangs");
  book_.AwaitBegun(1);
  Use(&next_);
  Use(&third_);
  EXPECT_THAT(third_.AwaitLines(1), ElementsAre("hangs"));
  EXPECT_THAT(next_.lines(), IsEmpty());
  EXPECT_TRUE(thread_.Stop(Clock::now()));
}

TEST_F(OutputThreadTest, TheWriterMayGiveUp) {
  for (const auto mode : {OutputBook::Mode::kHeedsTheDeadline, OutputBook::Mode::kHangs}) {
    OutputBook book(mode);
    OutputThread thread;
    thread.Replace(std::make_unique<FakeOutput>(&book));
    given_up_ = false;
    std::thread writer([&thread, this] { result_ = thread.Write("a\n", given_up_); });
    book.AwaitBegun(1);
    given_up_ = true;
    thread.GiveUp();
    writer.join();
    EXPECT_NE(result_.error, 0);
    EXPECT_EQ(result_.kept, 0U);
    EXPECT_EQ(thread.Write("b\n", given_up_).error, ECANCELED);
    book.Set(OutputBook::Mode::kOpen);
    EXPECT_TRUE(thread.Stop(Clock::now()));
  }
}

TEST_F(OutputThreadTest, EndDoesNotWaitForWhatHangs) {
  book_.Set(OutputBook::Mode::kHangs);
  Use(&book_);
  std::thread writer = Writer("a\n");
  book_.AwaitBegun(1);
  EXPECT_FALSE(thread_.Stop(Clock::now()));
  writer.join();
  EXPECT_EQ(result_.error, ECANCELED);
  EXPECT_EQ(OutputThread::stuck(), 1U);
}

TEST_F(OutputThreadTest, FailuresAreReportedOnceTheOutputTakesLinesAgain) {
  book_.Set(OutputBook::Mode::kFails);
  Use(&book_);
  Push("one");
  book_.AwaitBegun(2);  // includes the report, which also fails
  Push("two");
  book_.AwaitBegun(4);
  book_.Set(OutputBook::Mode::kOpen);
  Push("three");
  EXPECT_THAT(book_.AwaitLines(2), ElementsAre("three", "log: 2 lines were lost"));
}

TEST_F(OutputThreadTest, ThreadsThatHangAreBounded) {
  book_.Set(OutputBook::Mode::kHangs);
  std::vector<std::unique_ptr<OutputThread>> threads;
  for (size_t i = 0; i < OutputThread::kMostStuck; ++i) {
    EXPECT_TRUE(OutputThread::CheckReplaceable().ok());
    threads.push_back(std::make_unique<OutputThread>());
    threads.back()->Replace(std::make_unique<FakeOutput>(&book_));
    threads.back()->Push({.time = {}, .level = spdlog::level::info, .message = "x"});
    book_.AwaitBegun(i + 1);
    EXPECT_FALSE(threads.back()->Stop(Clock::time_point::min() + std::chrono::hours(1)));
  }
  EXPECT_EQ(OutputThread::CheckReplaceable().message(),
            "needs a restart: writes to 16 earlier log and audit targets still hang");
}

}  // namespace
}  // namespace proxyd
