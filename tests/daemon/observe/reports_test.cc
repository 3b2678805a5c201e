// SPDX-License-Identifier: Apache-2.0
#include "observe/reports.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "audit_records.h"
#include "observe/audit_line.h"

namespace proxyd {
namespace {

class CountingTarget final : public AuditTarget {
 public:
  explicit CountingTarget(std::string* lines) : lines_(lines) {}
  bool Write(std::string_view records) override {
    lines_->append(LinesOf(records));
    return true;
  }

 private:
  std::string* lines_;
};

class FakeSink final : public ReportSink {
 public:
  explicit FakeSink(bool curious = false) : curious_(curious) {}
  void OnRecord(const AuditRecord& record) override { methods.emplace_back(record.method); }
  void OnPayload(const PayloadRecord& record) override { payloads.emplace_back(record.payload); }
  bool wants_payloads() const override { return curious_; }

  std::vector<std::string> methods;
  std::vector<std::string> payloads;

 private:
  const bool curious_;
};

class ReportsTest : public testing::Test {
 protected:
  ReportsTest() : audit_(Nothing(), std::make_unique<CountingTarget>(&lines_)), reports_(audit_) {}

  static AuditConfig Nothing() {
    AuditConfig config;
    config.calls = AuditCalls::kNone;
    return config;
  }
  static AuditRecord Record(AuditEvent event, std::string_view method) {
    AuditRecord record;
    record.event = event;
    record.uid = 1000;
    record.method = method;
    return record;
  }
  // Ends the audit and returns what it wrote.
  std::string Lines() {
    audit_.Stop();
    return lines_;
  }

  std::string lines_;
  Audit audit_;
  Reports reports_;
};

TEST_F(ReportsTest, CallsAreOfInterestWhileSomebodyLooksOn) {
  EXPECT_FALSE(reports_.Wants(AuditEvent::kCall, true, std::nullopt));
  EXPECT_TRUE(reports_.Wants(AuditEvent::kCall, true, AuditCalls::kAll));
  FakeSink sink;
  reports_.Add(&sink);
  EXPECT_TRUE(reports_.Wants(AuditEvent::kCall, true, std::nullopt));
  reports_.Tell(Record(AuditEvent::kCall, "M"), std::nullopt);
  EXPECT_EQ(sink.methods, std::vector<std::string>{"M"});
  reports_.Remove(&sink);
  EXPECT_FALSE(reports_.Wants(AuditEvent::kCall, true, std::nullopt));
  EXPECT_EQ(Lines(), "") << "a sink does not cause audit lines";
}

TEST_F(ReportsTest, TheAuditGetsWhatItWants) {
  reports_.Tell(Record(AuditEvent::kCall, "No"), std::nullopt);
  reports_.Tell(Record(AuditEvent::kCall, "Yes"), AuditCalls::kAll);
  const std::string lines = Lines();
  EXPECT_EQ(lines.find("No"), std::string::npos);
  EXPECT_NE(lines.find("Yes"), std::string::npos);
}

TEST_F(ReportsTest, PayloadsGoToWhoAsksForThem) {
  EXPECT_FALSE(reports_.wants_payloads());
  FakeSink plain;
  FakeSink curious(true);
  reports_.Add(&plain);
  EXPECT_FALSE(reports_.wants_payloads());
  reports_.Add(&curious);
  EXPECT_TRUE(reports_.wants_payloads());
  PayloadRecord record;
  record.payload = "bytes";
  reports_.Tell(record);
  EXPECT_EQ(curious.payloads, std::vector<std::string>{"bytes"});
  EXPECT_TRUE(plain.payloads.empty());
  reports_.Remove(&curious);
  EXPECT_FALSE(reports_.wants_payloads());
}

TEST_F(ReportsTest, KeepsTheLatestRefusals) {
  for (int i = 0; i < 70; ++i)
    reports_.Tell(Record(AuditEvent::kDeny, std::to_string(i)), std::nullopt);
  ASSERT_EQ(reports_.refusals().size(), Reports::kRefusals);
  EXPECT_EQ(reports_.refusals().front().method, "69");
  EXPECT_EQ(reports_.refusals().back().method, "20");
  EXPECT_EQ(reports_.refusals().front().uid, 1000U);
}

TEST_F(ReportsTest, WhatWasNotRefusedIsNoRefusal) {
  reports_.Tell(Record(AuditEvent::kCall, "M"), std::nullopt);
  AuditRecord shadow = Record(AuditEvent::kDeny, "M");
  shadow.enforced = false;
  reports_.Tell(shadow, std::nullopt);
  EXPECT_TRUE(reports_.refusals().empty());
}

// A peer chooses the length of its names.
TEST_F(ReportsTest, ARefusalKeepsNoMoreThanALineShows) {
  reports_.Tell(Record(AuditEvent::kDeny, std::string(1 << 20, 'x')), std::nullopt);
  EXPECT_EQ(reports_.refusals().front().method.size(), kAuditValueLimit);
}

}  // namespace
}  // namespace proxyd
