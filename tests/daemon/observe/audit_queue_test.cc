// SPDX-License-Identifier: Apache-2.0
//
// The room of the queue is shared among the users, so that no user's lines cost another user any.
#include "observe/audit_queue.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "audit_records.h"
#include "observe/audit.h"

namespace proxyd {
namespace {

using nlohmann::json;

// The written lines, which wait until the gate is open. It must outlive the target.
class Gate {
 public:
  bool Write(std::string_view text) {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    text_.append(text);
    ++ended_;
    changed_.notify_all();
    return true;
  }
  // Returns when Write() waits.
  void AwaitBegun() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return begun_ > ended_; });
  }
  void AwaitEnded(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, count] { return ended_ >= count; });
  }
  void Open(bool open = true) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  // May be called only after the audit has ended.
  size_t Count(const std::string& key, const json& value) const {
    std::istringstream in(text_);
    size_t count = 0;
    for (std::string line; std::getline(in, line);) {
      const json parsed = json::parse(line);
      if (parsed.contains(key) && parsed.at(key) == value) ++count;
    }
    return count;
  }
  size_t Suppressed() const {
    std::istringstream in(text_);
    size_t sum = 0;
    for (std::string line; std::getline(in, line);) {
      sum += json::parse(line).value("suppressed", size_t{0});
    }
    return sum;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t begun_ = 0;
  size_t ended_ = 0;
  bool open_ = false;
  std::string text_;
};

class GatedTarget final : public AuditTarget {
 public:
  explicit GatedTarget(Gate* gate) : gate_(gate) {}
  bool Write(std::string_view records) override { return gate_->Write(LinesOf(records)); }

 private:
  Gate* gate_;
};

class StandingClock final : public AuditClock {
 public:
  std::chrono::system_clock::time_point Now() override { return {}; }
  Steady SteadyNow() override { return Steady(std::chrono::hours(1)); }
  void Wait(std::condition_variable& wake, std::unique_lock<std::mutex>& lock,
            std::optional<Steady> /*until*/) override {
    wake.wait(lock);
  }
};

AuditRecord CallOf(uid_t uid, std::string_view method, bool carried_out = false) {
  AuditRecord record;
  record.event = AuditEvent::kCall;
  record.uid = uid;
  record.method = method;
  record.carried_out = carried_out;
  return record;
}

class AuditQueueTest : public testing::Test {
 protected:
  // The audit's thread waits in Write() with one line.
  void Start(AuditConfig::OnError on_error, uint64_t bytes_per_user = uint64_t{1} << 30) {
    config_.calls = AuditCalls::kAll;
    config_.on_error = on_error;
    config_.bytes_per_user = bytes_per_user;
    audit_.emplace(config_, std::make_unique<GatedTarget>(&gate_), clock_);
    audit_->Record(CallOf(7, "first"));
    gate_.AwaitBegun();
  }
  void FillBy(uid_t uid) {
    const uint64_t lost = audit_->lost();
    while (audit_->lost() == lost) audit_->Record(CallOf(uid, "Filling"));
  }
  void End() {
    gate_.Open();
    audit_->Stop();
  }

  Gate gate_;
  StandingClock clock_;
  AuditConfig config_;
  std::optional<Audit> audit_;
};

TEST_F(AuditQueueTest, OneUsersLinesAreNotLostForAnothers) {
  Start(AuditConfig::OnError::kDrop);
  FillBy(1000);
  for (int i = 0; i < 100; ++i) {
    audit_->Record(CallOf(0, "Root"));
    audit_->Record(CallOf(1001, "Other"));
  }
  EXPECT_EQ(audit_->lost(), 1U);
  End();
  EXPECT_EQ(gate_.Count("method", "Root"), 100U);
  EXPECT_EQ(gate_.Count("method", "Other"), 100U);
}

// The cause of lost lines may last.
TEST_F(AuditQueueTest, LostLinesAreLoggedOnceASecond) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  Start(AuditConfig::OnError::kDrop);
  for (size_t round = 0; round < 5; ++round) {
    FillBy(1000);
    gate_.Open();
    gate_.AwaitEnded(2 * (round + 1));  // the blocked line, and what waited meanwhile
    gate_.Open(false);
    audit_->Record(CallOf(7, "next"));
    gate_.AwaitBegun();
  }
  End();
  spdlog::set_default_logger(before);
  const std::string text = log.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4) << text;
  EXPECT_NE(text.find("audit: 1 lines were lost"), text.npos) << text;
  EXPECT_NE(text.find("audit: 4 lines were lost"), text.npos) << text;
}

TEST_F(AuditQueueTest, DroppingItRefusesNoCall) {
  Start(AuditConfig::OnError::kDrop);
  FillBy(1000);
  AuditReservation reservation;
  EXPECT_TRUE(audit_->Reserve(1000, 1024, &reservation));
  EXPECT_TRUE(reservation.empty());
  EXPECT_TRUE(audit_->Reserve(1000, 0, &reservation));
  End();
}

// This holds whatever the user does meanwhile, even if a reload changes on_error.
TEST_F(AuditQueueTest, ALineForWhichRoomWasKeptIsNeverLost) {
  Start(AuditConfig::OnError::kDrop);
  std::vector<AuditReservation> reservations(1000);
  for (AuditReservation& reservation : reservations) {
    ASSERT_TRUE(audit_->Reserve(1000, 512, &reservation));
    ASSERT_FALSE(reservation.empty());
  }
  FillBy(1000);
  config_.on_error = AuditConfig::OnError::kRefuseCalls;
  audit_->Reconfigure(config_, nullptr);
  for (AuditReservation& reservation : reservations)
    audit_->Record(CallOf(1000, "Kept", true), std::move(reservation));
  EXPECT_EQ(audit_->lost(), 1U);
  End();
  EXPECT_EQ(gate_.Count("method", "Kept"), 1000U);
}

TEST_F(AuditQueueTest, BytesOverTheRateAreReportedButCallsThatWereCarriedOut) {
  constexpr size_t kCalls = 1000;
  Start(AuditConfig::OnError::kDrop, 1024);
  for (size_t i = 0; i < kCalls; ++i) {
    audit_->Record(CallOf(1000, "Ours"));
    audit_->Record(CallOf(1000, "Done", true));
  }
  audit_->Record(CallOf(1001, "Other"));
  End();
  EXPECT_EQ(gate_.Count("method", "Done"), kCalls);
  EXPECT_EQ(gate_.Count("method", "Other"), 1U);
  const size_t ours = gate_.Count("method", "Ours");
  EXPECT_GE(ours, 1U);
  EXPECT_LT(ours, kCalls);
  EXPECT_EQ(ours + gate_.Suppressed(), kCalls);
  EXPECT_GE(gate_.Count("uid", 1000), kCalls + ours + 1) << "the count has the uid";
}

}  // namespace
}  // namespace proxyd
