// SPDX-License-Identifier: Apache-2.0
#include "observe/audit_line.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace proxyd {
namespace {

using std::chrono::microseconds;
using ordered_json = nlohmann::ordered_json;

TEST(AuditLineTest, KeysAndOrder) {
  AuditRecord record;
  record.event = AuditEvent::kCall;
  record.listener = "shims";
  record.pid = 4242;
  record.uid = 1000;
  record.gid = 1001;
  record.service = "containerd.task.v2.Task";
  record.method = "State";
  record.kind = "unary";
  record.rule = "monitoring may look";
  record.enforced = true;
  record.backend = "shim";
  record.code = ttrpc::StatusCode::kOk;
  record.duration = microseconds(1234);
  record.request_bytes = 64;
  record.response_bytes = 0;
  record.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  record.peer = 7;
  record.stream_id = 3;
  record.user = "prometheus";
  record.comm = "exporter";
  record.loginuid = 1000;
  record.SetCause({.reason = AuditReason::kLimit,
                   .limit = "calls_per_user",
                   .detail = "limit calls_per_user = 4096 reached"});
  std::string line;
  AppendAuditLine(record, std::chrono::system_clock::time_point(microseconds(1700000000'000007)),
                  &line);
  EXPECT_EQ(line,
            R"({"time":"2023-11-14T22:13:20.000007Z","event":"call","listener":"shims","pid":4242,)"
            R"("uid":1000,"gid":1001,"service":"containerd.task.v2.Task","method":"State",)"
            R"("kind":"unary","rule":"monitoring may look","enforced":true,"backend":"shim",)"
            R"("code":"OK","duration_us":1234,"request_bytes":64,"response_bytes":0,)"
            R"("traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",)"
            R"("peer":7,"stream":3,"user":"prometheus","comm":"exporter","loginuid":1000,)"
            R"("reason":"limit","limit":"calls_per_user",)"
            R"("detail":"limit calls_per_user = 4096 reached"})"
            "\n");
}

// The bound is the room that a call in flight reserves for its line.
TEST(AuditLineTest, NoLineOfACallIsLongerThanItsBound) {
  const std::string hostile(1000, '\x01');
  const std::string quotes(300, '"');
  const std::string plain(256, 'x');
  for (const std::string& name : {std::string(), std::string("x"), plain, quotes, hostile}) {
    AuditRecord record;
    record.event = AuditEvent::kDisconnect;
    record.pid = std::numeric_limits<pid_t>::max();
    record.uid = record.gid = static_cast<uid_t>(-2);
    record.listener = record.service = record.method = record.rule = record.backend = name;
    record.kind = "stream";
    record.enforced = false;
    record.code = ttrpc::StatusCode::kFailedPrecondition;
    record.duration = microseconds::max();
    record.request_bytes = record.response_bytes = std::numeric_limits<uint64_t>::max();
    record.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    record.peer = std::numeric_limits<uint64_t>::max();
    record.stream_id = std::numeric_limits<uint32_t>::max();
    record.comm = record.workload = record.pod = name;
    record.loginuid = kNoLoginUid - 1;
    record.reason = AuditReason::kTooManyConnections;
    record.limit = "backend_connections_per_user";
    const std::string address = "unix://" + std::string(107, '/') + ": Connection refused";
    record.detail = FitsAuditLineBound(name) ? name : address;
    EXPECT_TRUE(FitsAuditLineBound(address));
    std::string line;
    AppendAuditLine(record, {}, &line);
    const size_t bound = AuditLineBound({.listener = name,
                                         .service = name,
                                         .method = name,
                                         .rule = name,
                                         .backend = name,
                                         .comm = name,
                                         .workload = name,
                                         .pod = name});
    EXPECT_LE(line.size(), bound);
    if (name == plain) {
      EXPECT_LE(bound, line.size() + 150) << "it is near";
    }
  }
}

TEST(AuditLineTest, WhatIsEmptyIsLeftOut) {
  AuditRecord record;
  record.event = AuditEvent::kRefuse;
  record.duration = microseconds(-5);
  std::string line;
  AppendAuditLine(record, {}, &line);
  EXPECT_EQ(line, R"({"time":"1970-01-01T00:00:00.000000Z","event":"refuse","duration_us":0})"
                  "\n");
}

// The names are those of the contract.
TEST(AuditLineTest, ReasonNames) {
  const std::vector<std::string> names = {"",
                                          "not_admitted",
                                          "no_credentials",
                                          "too_many_connections",
                                          "malformed",
                                          "metadata",
                                          "no_rule",
                                          "deny_rule",
                                          "draining",
                                          "limit",
                                          "deadline",
                                          "backend_unreachable",
                                          "backend_lost",
                                          "backend_owner",
                                          "audit_failing",
                                          "payload"};
  for (size_t i = 0; i < names.size(); ++i)
    EXPECT_EQ(ReasonName(static_cast<AuditReason>(i)), names[i]);
}

TEST(AuditLineTest, EventNames) {
  const std::vector<std::pair<AuditEvent, std::string>> names = {
      {AuditEvent::kConnect, "connect"},
      {AuditEvent::kRefuse, "refuse"},
      {AuditEvent::kCall, "call"},
      {AuditEvent::kDeny, "deny"},
      {AuditEvent::kDisconnect, "disconnect"},
  };
  for (const auto& [event, name] : names) {
    AuditRecord record;
    record.event = event;
    std::string line;
    AppendAuditLine(record, {}, &line);
    EXPECT_EQ(ordered_json::parse(line)["event"], name);
  }
}

TEST(AuditLineTest, HostileValuesReadBackInOneLine) {
  const std::string forged = "x\"}\n{\"event\":\"call\",\"uid\":0}\n";
  const std::string binary = std::string("\0\x1b[2J\xff\xc3", 7);
  const std::string endless(4 << 20, '\x01');
  AuditRecord record;
  record.service = forged;
  record.method = binary;
  record.traceparent = endless;
  record.rule = endless;
  record.backend = endless;
  record.listener = endless;
  std::string line;
  AppendAuditLine(record, {}, &line);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_LT(line.size(), 13U << 10U);
  const auto parsed = ordered_json::parse(line);
  EXPECT_EQ(parsed["event"], "connect");
  EXPECT_EQ(parsed["service"], forged);
  EXPECT_EQ(parsed["method"], std::string("\0\x1b[2J\xEF\xBF\xBD\xEF\xBF\xBD", 11));
  EXPECT_EQ(parsed["traceparent"], std::string(kAuditValueLimit, '\x01') + "\xE2\x80\xA6");
}

}  // namespace
}  // namespace proxyd
