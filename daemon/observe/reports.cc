// SPDX-License-Identifier: Apache-2.0
#include "observe/reports.h"

#include <algorithm>
#include <utility>

#include "observe/audit_line.h"

namespace proxyd {

void Reports::Tell(const AuditRecord& record, std::optional<AuditCalls> rule_override) {
  if (audit_.Wants(record.event, record.enforced, rule_override)) audit_.Record(record);
  for (ReportSink* sink : sinks_) sink->OnRecord(record);
  const bool refused = record.event == AuditEvent::kRefuse || record.event == AuditEvent::kDeny;
  if (refused && record.enforced.value_or(true)) Keep(record);
}

void Reports::TellEnd(const AuditRecord& record, bool audited, AuditReservation reservation) {
  if (audited) audit_.Record(record, std::move(reservation));
  for (ReportSink* sink : sinks_) sink->OnRecord(record);
}

void Reports::Tell(const PayloadRecord& record) {
  for (ReportSink* sink : sinks_) {
    if (sink->wants_payloads()) sink->OnPayload(record);
  }
}

// Reuses the memory of the oldest refusal, so that a flood of refusals does not allocate.
void Reports::Keep(const AuditRecord& record) {
  Refusal refusal;
  if (refusals_.size() == kRefusals) {
    refusal = std::move(refusals_.back());
    refusals_.pop_back();
  }
  const auto cut = [](std::string_view value) { return value.substr(0, kAuditValueLimit); };
  refusal.time = std::chrono::system_clock::now();
  refusal.event = record.event;
  refusal.listener = record.listener;
  refusal.uid = record.uid;
  refusal.pid = record.pid;
  refusal.service = cut(record.service);
  refusal.method = cut(record.method);
  refusal.rule = record.rule;
  refusal.code = record.code;
  refusal.reason = record.reason;
  refusal.limit = record.limit;
  refusal.detail = cut(record.detail);
  refusals_.push_front(std::move(refusal));
  if (record.event == AuditEvent::kDeny)
    top_denied_.Count(record.uid, cut(record.service), cut(record.method));
}

void Reports::Add(ReportSink* sink) {
  sinks_.push_back(sink);
  UpdatePayloads();
}

void Reports::Remove(ReportSink* sink) {
  std::erase(sinks_, sink);
  UpdatePayloads();
}

void Reports::UpdatePayloads() {
  payloads_wanted_ = std::any_of(sinks_.begin(), sinks_.end(),
                                 [](const ReportSink* sink) { return sink->wants_payloads(); });
}

}  // namespace proxyd
