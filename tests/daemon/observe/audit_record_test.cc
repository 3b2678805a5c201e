// SPDX-License-Identifier: Apache-2.0
#include "observe/audit_record.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "observe/audit_line.h"
#include "observe/audit_records.h"

namespace proxyd {
namespace {

using std::chrono::microseconds;
using std::chrono::system_clock;

std::string LineOf(const AuditRecord& record, system_clock::time_point time) {
  std::string line;
  AppendAuditLine(record, time, &line);
  return line;
}

AuditRecord Whole() {
  AuditRecord record;
  record.event = AuditEvent::kDeny;
  record.listener = "shims";
  record.pid = 4242;
  record.uid = 1000;
  record.gid = 1001;
  record.service = "containerd.task.v2.Task";
  record.method = "State";
  record.kind = "unary";
  record.rule = "monitoring may look";
  record.enforced = false;
  record.backend = "shim";
  record.code = static_cast<ttrpc::StatusCode>(-7);
  record.duration = microseconds(-1234);
  record.request_bytes = 0;
  record.response_bytes = ~uint64_t{0};
  record.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  record.peer = ~uint64_t{0};
  record.stream_id = ~uint32_t{0};
  record.user = "alice";
  record.comm = "exporter";
  record.loginuid = 0;
  record.SetCause({.reason = AuditReason::kPayload, .limit = "calls_per_user", .detail = "why"});
  record.workload = "k8s.io/web-1";
  record.pod = "team-a/web";
  return record;
}

std::vector<AuditRecord> Records() {
  static const std::string kLong(300, 'x');
  static const std::string kHostile = std::string(255, '\x01') + "\xE2\x80\xA6\xff\"";
  // The character at the limit is not cut in two.
  static const std::string kCut = std::string(255, 'y') + "\xF0\x9F\x98\x80 and more";
  std::vector<AuditRecord> records = {AuditRecord(), Whole()};
  for (const std::string* text : {&kLong, &kHostile, &kCut}) {
    const std::string& value = *text;
    AuditRecord record;
    record.listener = record.service = record.method = record.rule = record.backend = value;
    record.enforced = true;
    record.peer = 1;
    record.stream_id = 1;
    record.user = record.comm = record.detail = record.workload = record.pod = value;
    records.push_back(record);
  }
  AuditRecord count;
  count.event = AuditEvent::kRefuse;
  count.suppressed = 17;
  records.push_back(count);
  return records;
}

// A packed record gives the same line as the original.
TEST(AuditRecordTest, UnpackedItReadsTheSame) {
  const system_clock::time_point time(microseconds(1700000000'000007));
  std::string packed;
  std::string expected;
  for (const AuditRecord& record : Records()) {
    PackAuditRecord(record, time, &packed);
    expected += LineOf(record, time);
  }
  EXPECT_EQ(CountAuditRecords(packed), Records().size());
  std::string two;
  PackAuditRecord(Records()[0], time, &two);
  PackAuditRecord(Records()[1], time, &two);
  EXPECT_EQ(SizeOfAuditRecords(packed, 0), 0U);
  EXPECT_EQ(SizeOfAuditRecords(packed, 2), two.size());
  EXPECT_EQ(SizeOfAuditRecords(packed, Records().size()), packed.size());
  EXPECT_EQ(LinesOf(packed), expected);
}

TEST(AuditRecordTest, TheSizeOfALineIsKnownBeforeItIsMade) {
  for (const AuditRecord& record : Records())
    EXPECT_EQ(AuditLineSize(record), LineOf(record, {}).size()) << record.service;
}

// The sizes of the lines bound the memory.
TEST(AuditRecordTest, IsNotMuchLargerThanItsLine) {
  for (const AuditRecord& record : Records()) {
    std::string packed;
    PackAuditRecord(record, {}, &packed);
    EXPECT_LE(packed.size(), AuditLineSize(record) + 16);
  }
}

TEST(AuditRecordTest, ACountIsALineOfItsOwn) {
  AuditRecord record;
  record.event = AuditEvent::kDeny;
  record.uid = 1000;
  record.suppressed = 3;
  EXPECT_EQ(LineOf(record, {}), R"({"time":"1970-01-01T00:00:00.000000Z","event":"deny",)"
                                R"("uid":1000,"suppressed":3})"
                                "\n");
}

}  // namespace
}  // namespace proxyd
