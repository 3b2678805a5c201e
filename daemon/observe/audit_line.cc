// SPDX-License-Identifier: Apache-2.0
#include "observe/audit_line.h"

#include <string_view>

#include "text/escape.h"
#include "text/numbers.h"

namespace proxyd {

using text::AppendJsonString;
using text::AppendNumber;
using text::AppendTime;
using text::JsonStringBound;

std::string_view EventName(AuditEvent event) {
  switch (event) {
    case AuditEvent::kConnect:
      return "connect";
    case AuditEvent::kRefuse:
      return "refuse";
    case AuditEvent::kCall:
      return "call";
    case AuditEvent::kDeny:
      return "deny";
    case AuditEvent::kDisconnect:
      return "disconnect";
  }
  return "unknown";
}

namespace {

// Keys, numbers, words and a traceparent: 417 bytes, all at their longest.
constexpr size_t kBesideNames = 512;

// One object, begun with its time and event. What is empty is left out.
class Line {
 public:
  Line(std::chrono::system_clock::time_point time, AuditEvent event, std::string* out) : out_(out) {
    out_->append("{\"time\":\"");
    AppendTime(time, out_);
    out_->append("\",\"event\":\"").append(EventName(event)).push_back('"');
  }

  void Text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    Key(key);
    AppendJsonString(value, kAuditValueLimit, out_);
  }
  void Number(std::string_view key, uint64_t value) {
    Key(key);
    AppendNumber(value, out_);
  }
  void Flag(std::string_view key, bool value) {
    Key(key);
    out_->append(value ? "true" : "false");
  }
  void End() { out_->append("}\n"); }

 private:
  void Key(std::string_view key) { out_->append(",\"").append(key).append("\":"); }

  std::string* out_;
};

}  // namespace

void AppendAuditLine(const AuditRecord& record, std::chrono::system_clock::time_point time,
                     std::string* out) {
  Line line(time, record.event, out);
  line.Text("listener", record.listener);
  if (record.pid > 0) line.Number("pid", static_cast<uint64_t>(record.pid));
  if (record.uid != static_cast<uid_t>(-1)) line.Number("uid", record.uid);
  if (record.gid != static_cast<gid_t>(-1)) line.Number("gid", record.gid);
  line.Text("service", record.service);
  line.Text("method", record.method);
  line.Text("kind", record.kind);
  line.Text("rule", record.rule);
  if (record.enforced) line.Flag("enforced", *record.enforced);
  line.Text("backend", record.backend);
  if (record.code) line.Text("code", ttrpc::StatusCodeName(*record.code));
  if (record.duration) {
    // A clock that went back must not show as half a million years.
    const int64_t microseconds = record.duration->count();
    line.Number("duration_us", microseconds > 0 ? static_cast<uint64_t>(microseconds) : 0);
  }
  if (record.request_bytes) line.Number("request_bytes", *record.request_bytes);
  if (record.response_bytes) line.Number("response_bytes", *record.response_bytes);
  line.Text("traceparent", record.traceparent);
  line.End();
}

size_t AuditLineBound(const AuditNames& names) {
  size_t bound = kBesideNames;
  for (const std::string_view name :
       {names.listener, names.service, names.method, names.rule, names.backend}) {
    bound += JsonStringBound(name, kAuditValueLimit);
  }
  return bound;
}

void AppendSuppressedLine(const RateLimiter::Suppressed& suppressed,
                          std::chrono::system_clock::time_point time, std::string* out) {
  Line line(time, suppressed.event, out);
  if (suppressed.uid && *suppressed.uid != static_cast<uid_t>(-1)) {
    line.Number("uid", *suppressed.uid);
  }
  line.Number("suppressed", suppressed.lines);
  line.End();
}

}  // namespace proxyd
