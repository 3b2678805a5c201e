// SPDX-License-Identifier: Apache-2.0
#include "observe/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "audit_records.h"
#include "observe/audit_line.h"

namespace proxyd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::IsEmpty;
using ordered_json = nlohmann::ordered_json;

// Records what a target received, and controls how it behaves. It must outlive the target, which
// the audit owns.
class Book {
 public:
  bool Write(std::string_view text) {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_ || given_up_; });
    if (failing_ || given_up_) return false;
    ++writes_;
    std::istringstream in{std::string(text)};
    for (std::string line; std::getline(in, line);) lines_.push_back(line);
    EXPECT_EQ(text.back(), '\n');
    changed_.notify_all();
    return true;
  }
  void NoteReopen() {
    Set([this] { ++reopened_; });
  }
  void NoteEnd() {
    Set([this] { ended_ = true; });
  }
  void GiveUp() {
    Set([this] { given_up_ = true; });
  }

  void Close() {
    Set([this] { open_ = false; });
  }
  void Open() {
    Set([this] { open_ = true; });
  }
  void Fail(bool failing) {
    Set([this, failing] { failing_ = failing; });
  }

  std::vector<std::string> AwaitLines(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, count] { return lines_.size() >= count; });
    return lines_;
  }
  void AwaitBegun(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, count] { return begun_ >= count; });
  }
  void AwaitEnd() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_; });
  }
  std::vector<std::string> lines() { return Get(&Book::lines_); }
  size_t begun() { return Get(&Book::begun_); }
  size_t writes() { return Get(&Book::writes_); }
  size_t reopened() { return Get(&Book::reopened_); }

 private:
  template <typename Change>
  void Set(Change change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  template <typename T>
  T Get(T Book::*member) {
    const std::lock_guard lock(mutex_);
    return this->*member;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  size_t begun_ = 0;
  size_t writes_ = 0;
  size_t reopened_ = 0;
  bool open_ = true;
  bool failing_ = false;
  bool ended_ = false;
  bool given_up_ = false;
};

class FakeTarget final : public AuditTarget {
 public:
  explicit FakeTarget(Book* book) : book_(book) {}
  ~FakeTarget() override { book_->NoteEnd(); }
  bool Write(std::string_view records) override { return book_->Write(LinesOf(records)); }
  void Reopen() override { book_->NoteReopen(); }
  void GiveUp() override { book_->GiveUp(); }

 private:
  Book* book_;
};

// A clock that only Advance() moves, which also wakes those whose time has come.
class FakeClock final : public AuditClock {
 public:
  std::chrono::system_clock::time_point Now() override {
    return std::chrono::system_clock::time_point(seconds(1700000000)) + since_start();
  }
  Steady SteadyNow() override { return Steady(seconds(1000)) + since_start(); }
  void Wait(std::condition_variable& wake, std::unique_lock<std::mutex>& lock,
            std::optional<Steady> until) override {
    {
      const std::lock_guard guard(mutex_);
      wake_ = &wake;
      waiting_mutex_ = lock.mutex();
      if (until && *until <= Steady(seconds(1000)) + advanced_) return;
    }
    wake.wait(lock);
  }
  void Advance(milliseconds by) {
    std::condition_variable* wake = nullptr;
    {
      const std::lock_guard guard(mutex_);
      advanced_ += by;
      wake = wake_;
    }
    if (wake == nullptr) return;
    // The waiter holds its lock from reading the clock until it waits.
    const std::lock_guard lock(*waiting_mutex_);
    wake->notify_all();
  }

 private:
  milliseconds since_start() {
    const std::lock_guard guard(mutex_);
    return advanced_;
  }
  std::mutex mutex_;
  milliseconds advanced_{0};
  std::condition_variable* wake_ = nullptr;
  std::mutex* waiting_mutex_ = nullptr;
};

AuditConfig MakeConfig(AuditConfig::OnError on_error = AuditConfig::OnError::kDrop) {
  AuditConfig config;
  config.calls = AuditCalls::kAll;
  config.rate_per_user = 3;
  config.bytes_per_user = uint64_t{1} << 30;
  config.on_error = on_error;
  return config;
}

AuditRecord Call(std::string_view method = "Method") {
  AuditRecord record;
  record.event = AuditEvent::kCall;
  record.uid = 1000;
  record.method = method;
  return record;
}

AuditRecord Denial(uid_t uid) {
  AuditRecord record;
  record.event = AuditEvent::kDeny;
  record.uid = uid;
  return record;
}

class AuditTest : public testing::Test {
 protected:
  void Start(const AuditConfig& config) {
    audit_.emplace(config, std::make_unique<FakeTarget>(&book_), clock_);
  }
  bool MayCall(uid_t uid, size_t bytes) {
    AuditReservation reservation;
    return audit_->Reserve(uid, bytes, &reservation);
  }
  // Blocks the thread in Write(), with one line.
  void Block() {
    book_.Close();
    audit_->Record(Call("blocked"));
    book_.AwaitBegun(1);
  }
  // Returns how many lines were recorded until one was lost.
  size_t Fill() {
    size_t queued = 0;
    while (audit_->lost() == 0 && queued < 1'000'000) {
      audit_->Record(Call());
      ++queued;
    }
    return queued - 1;
  }

  Book book_;
  FakeClock clock_;
  std::optional<Audit> audit_;
};

TEST_F(AuditTest, WantsByKindAndOverride) {
  struct Row {
    AuditEvent event;
    std::optional<bool> enforced;
    bool denied;  // wanted with "denied"; "all" wants everything, "none" nothing
  };
  const std::vector<Row> rows = {
      {AuditEvent::kConnect, {}, false}, {AuditEvent::kDisconnect, {}, false},
      {AuditEvent::kCall, true, false},  {AuditEvent::kCall, {}, false},
      {AuditEvent::kCall, false, true},  // a shadow decision that allows
      {AuditEvent::kDeny, false, true},  {AuditEvent::kDeny, true, true},
      {AuditEvent::kDeny, {}, true},     {AuditEvent::kRefuse, {}, true},
      {AuditEvent::kRefuse, true, true},
  };
  for (const AuditCalls calls : {AuditCalls::kNone, AuditCalls::kDenied, AuditCalls::kAll}) {
    AuditConfig config = MakeConfig();
    config.calls = calls;
    Start(config);
    for (const Row& row : rows) {
      const auto wants = [&](std::optional<AuditCalls> rule_override) {
        return audit_->Wants(row.event, row.enforced, rule_override);
      };
      EXPECT_FALSE(wants(AuditCalls::kNone));
      EXPECT_EQ(wants(AuditCalls::kDenied), row.denied);
      EXPECT_TRUE(wants(AuditCalls::kAll));
      EXPECT_EQ(wants(std::nullopt), wants(calls));
    }
    audit_.reset();
  }
}

TEST_F(AuditTest, LinesReachTheTargetInOrder) {
  Start(MakeConfig());
  audit_->Record(Call("First"));
  audit_->Record(Call("Second"));
  const auto lines = book_.AwaitLines(2);
  EXPECT_EQ(lines[0],
            R"({"time":"2023-11-14T22:13:20.000000Z","event":"call","uid":1000,"method":"First"})");
  EXPECT_EQ(ordered_json::parse(lines[1])["method"], "Second");
  EXPECT_EQ(audit_->lost(), 0U);
  EXPECT_FALSE(audit_->refusing_calls());
}

// Names are looked up on the audit's thread, which may wait for them.
TEST_F(AuditTest, LinesHaveTheNamesOfTheirUsers) {
  UserNames names([](uid_t uid) { return std::string(uid == 1000 ? "alice" : ""); });
  audit_.emplace(MakeConfig(), std::make_unique<FakeTarget>(&book_), clock_, &names);
  audit_->Record(Call("First"));
  audit_->Record(Denial(7));
  const auto lines = book_.AwaitLines(2);
  EXPECT_EQ(ordered_json::parse(lines[0])["user"], "alice");
  EXPECT_EQ(ordered_json::parse(lines[0])["method"], "First");
  EXPECT_FALSE(ordered_json::parse(lines[1]).contains("user"));
  EXPECT_EQ(audit_->UserName(1000), "alice");
  audit_.reset();
}

TEST_F(AuditTest, WhatWaitsIsWrittenTogether) {
  Start(MakeConfig());
  Block();
  for (int i = 0; i < 100; ++i) audit_->Record(Call());
  book_.Open();
  book_.AwaitLines(101);
  EXPECT_EQ(book_.writes(), 2U);
}

TEST_F(AuditTest, EndWritesWhatWaits) {
  Start(MakeConfig());
  Block();
  for (int i = 0; i < 100; ++i) audit_->Record(Call());
  for (int i = 0; i < 5; ++i) audit_->Record(Denial(7));
  book_.Open();
  audit_.reset();
  const auto lines = book_.lines();
  ASSERT_EQ(lines.size(), 1 + 100 + 3 + 1U);
  EXPECT_EQ(ordered_json::parse(lines.back())["suppressed"], 2);
}

TEST_F(AuditTest, EndDoesNotWaitForABlockedTarget) {
  Start(MakeConfig());
  Block();
  audit_->Record(Call("waits"));
  audit_.reset();  // waits for one second, then gives up the target
  book_.AwaitEnd();
  EXPECT_THAT(book_.lines(), IsEmpty());
}

TEST_F(AuditTest, FullQueueLosesAndCounts) {
  Start(MakeConfig());
  Block();
  const size_t queued = Fill();
  EXPECT_GT(queued, 1000U);
  for (int i = 0; i < 9; ++i) audit_->Record(Call());
  EXPECT_EQ(audit_->lost(), 10U);
  EXPECT_FALSE(audit_->refusing_calls());  // since on_error is "drop"
  book_.Open();
  EXPECT_EQ(book_.AwaitLines(queued + 1).size(), queued + 1);
  audit_->Record(Call("after"));
  EXPECT_EQ(ordered_json::parse(book_.AwaitLines(queued + 2).back())["method"], "after");
  EXPECT_EQ(audit_->lost(), 10U);
}

TEST_F(AuditTest, QueueIsBoundedInBytes) {
  Start(MakeConfig());
  Block();
  const std::string hostile(10000, '\x01');
  AuditRecord record = Call();
  record.listener = record.service = record.method = record.kind = hostile;
  record.rule = record.backend = record.traceparent = hostile;
  std::string line;
  AppendAuditLine(record, clock_.Now(), &line);
  size_t queued = 0;
  for (; audit_->lost() == 0 && queued < 100000; ++queued) audit_->Record(record);
  EXPECT_LE((queued - 1) * line.size(), AuditShares::kPoolBytes);
  book_.Open();
}

TEST_F(AuditTest, RefusesTheCallsOfWhoFillsTheQueue) {
  Start(MakeConfig(AuditConfig::OnError::kRefuseCalls));
  Block();
  EXPECT_TRUE(MayCall(1000, 1024));
  const size_t queued = Fill();
  EXPECT_FALSE(MayCall(1000, 1024));
  EXPECT_FALSE(MayCall(1000, 0)) << "without a line of its own";
  EXPECT_TRUE(MayCall(1001, 1024));
  EXPECT_TRUE(MayCall(0, 1024));
  book_.Open();
  book_.AwaitLines(queued + 1);
  while (!MayCall(1000, 1024)) std::this_thread::yield();
}

TEST_F(AuditTest, RefusesCallsWhileTheTargetFailsAndLosesNothing) {
  Start(MakeConfig(AuditConfig::OnError::kRefuseCalls));
  book_.Fail(true);
  audit_->Record(Call("kept"));
  book_.AwaitBegun(1);
  audit_->Record(Call("next"));
  while (!audit_->refusing_calls()) std::this_thread::yield();
  // Each second brings a new attempt, without a call that causes it.
  while (book_.begun() < 4) {
    clock_.Advance(seconds(1));
    std::this_thread::yield();
  }
  EXPECT_TRUE(audit_->refusing_calls());
  EXPECT_THAT(book_.lines(), IsEmpty());
  book_.Fail(false);
  while (book_.lines().size() < 2) {
    clock_.Advance(seconds(1));
    std::this_thread::yield();
  }
  const auto lines = book_.lines();
  EXPECT_EQ(ordered_json::parse(lines[0])["method"], "kept");
  EXPECT_EQ(ordered_json::parse(lines[1])["method"], "next");
  EXPECT_FALSE(audit_->refusing_calls());
  EXPECT_EQ(audit_->lost(), 0U);
}

TEST_F(AuditTest, FailingTargetDropsAndCounts) {
  Start(MakeConfig());
  book_.Fail(true);
  audit_->Record(Call("gone"));
  while (audit_->lost() == 0) std::this_thread::yield();
  EXPECT_FALSE(audit_->refusing_calls());
  book_.Fail(false);
  audit_->Record(Call("written"));
  const auto lines = book_.AwaitLines(1);
  EXPECT_EQ(ordered_json::parse(lines[0])["method"], "written");
  EXPECT_EQ(audit_->lost(), 1U);
}

TEST_F(AuditTest, EndGivesAFailingTargetOneMoreChance) {
  Start(MakeConfig(AuditConfig::OnError::kRefuseCalls));
  book_.Fail(true);
  audit_->Record(Call());
  book_.AwaitBegun(1);
  audit_.reset();
  EXPECT_EQ(book_.begun(), 2U);
  EXPECT_THAT(book_.lines(), IsEmpty());
}

TEST_F(AuditTest, DenialsOverTheRateAreToldWithinASecondByThemselves) {
  Start(MakeConfig());
  for (int i = 0; i < 10; ++i) audit_->Record(Denial(1000));
  audit_->Record(Denial(1001));
  for (int i = 0; i < 10; ++i) audit_->Record(Call());  // calls are not limited
  book_.AwaitLines(3 + 1 + 10);
  clock_.Advance(seconds(1));
  const auto lines = book_.AwaitLines(15);
  EXPECT_EQ(lines[14],
            R"({"time":"2023-11-14T22:13:21.000000Z","event":"deny","uid":1000,"suppressed":7})");
  EXPECT_EQ(audit_->lost(), 0U);
}

TEST_F(AuditTest, RefusalsAndShadowDecisionsAreHeldToTheRate) {
  Start(MakeConfig());
  AuditRecord shadow = Call("Shadow");
  shadow.enforced = false;
  AuditRecord refusal = Denial(1000);
  refusal.event = AuditEvent::kRefuse;
  for (int i = 0; i < 2; ++i) {
    audit_->Record(shadow);
    audit_->Record(refusal);
    audit_->Record(Denial(1000));
  }
  book_.AwaitLines(3);
  clock_.Advance(seconds(1));
  const auto told = ordered_json::parse(book_.AwaitLines(4)[3]);
  EXPECT_EQ(told["suppressed"], 3);
}

TEST_F(AuditTest, ReopenReachesTheTargetBeforeLaterLines) {
  Start(MakeConfig());
  audit_->Reopen();
  audit_->Record(Call());
  book_.AwaitLines(1);
  EXPECT_EQ(book_.reopened(), 1U);
}

TEST_F(AuditTest, ReconfiguredItGoesOnAsItIsTold) {
  Start(MakeConfig());
  for (int i = 0; i < 5; ++i) audit_->Record(Denial(1000));
  book_.AwaitLines(3);
  Book next;
  AuditConfig config = MakeConfig();
  config.calls = AuditCalls::kNone;
  config.rate_per_user = 1;
  audit_->Reconfigure(config, std::make_unique<FakeTarget>(&next));
  EXPECT_FALSE(audit_->Wants(AuditEvent::kDeny, {}, {}));
  // The old count is reported, and the new limit applies.
  EXPECT_EQ(ordered_json::parse(next.AwaitLines(1)[0])["suppressed"], 2);
  book_.AwaitEnd();
  for (int i = 0; i < 5; ++i) audit_->Record(Denial(1000));
  clock_.Advance(seconds(1));
  const auto lines = next.AwaitLines(3);
  EXPECT_EQ(ordered_json::parse(lines[2])["suppressed"], 4);
  EXPECT_EQ(book_.lines().size(), 3U);
  // Without a new target the present one stays.
  audit_->Reconfigure(MakeConfig(), nullptr);
  audit_->Record(Call("after"));
  EXPECT_EQ(ordered_json::parse(next.AwaitLines(4)[3])["method"], "after");
  audit_.reset();
}

TEST_F(AuditTest, WhatATargetFailedToTakeIsOfferedToTheNext) {
  Start(MakeConfig(AuditConfig::OnError::kRefuseCalls));
  book_.Fail(true);
  audit_->Record(Call("kept"));
  while (!audit_->refusing_calls()) std::this_thread::yield();
  Book next;
  audit_->Reconfigure(MakeConfig(AuditConfig::OnError::kRefuseCalls),
                      std::make_unique<FakeTarget>(&next));
  EXPECT_EQ(ordered_json::parse(next.AwaitLines(1)[0])["method"], "kept");
  while (audit_->refusing_calls()) std::this_thread::yield();
  audit_.reset();
}

TEST_F(AuditTest, ManyThreads) {
  Start(MakeConfig());
  std::vector<std::thread> threads;
  for (uid_t uid = 0; uid < 4; ++uid) {
    threads.emplace_back([this, uid] {
      for (int i = 0; i < 500; ++i) {
        audit_->Record(Call());
        audit_->Record(Denial(uid));
        if (i % 100 == 0) audit_->Reopen();
        static_cast<void>(audit_->refusing_calls());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  audit_.reset();
  EXPECT_EQ(book_.lines().size(), 4 * 500 + 4 * 3 + 4U);
}

TEST(AuditClockTest, TheRealClockWakesTheThread) {
  Book book;
  AuditConfig config = MakeConfig();
  config.rate_per_user = 1;
  Audit audit(config, std::make_unique<FakeTarget>(&book));
  const auto start = std::chrono::steady_clock::now();
  audit.Record(Denial(1000));
  audit.Record(Denial(1000));
  EXPECT_EQ(ordered_json::parse(book.AwaitLines(2)[1])["suppressed"], 1);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(500));
}

}  // namespace
}  // namespace proxyd
