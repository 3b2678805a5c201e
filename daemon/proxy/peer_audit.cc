// SPDX-License-Identifier: Apache-2.0
#include "proxy/peer_audit.h"

#include <chrono>
#include <utility>

#include "observe/audit_line.h"
#include "observe/traceparent.h"
#include "ttrpc/wire/message.h"

namespace proxyd {

namespace {

std::string_view KindOf(uint8_t request_flags) {
  return StreamState(request_flags).unary() ? "unary" : "stream";
}

std::string_view TraceparentOf(const ttrpc::RequestView& request) {
  for (const ttrpc::MetadataEntry& entry : request.metadata) {
    if (ttrpc::EqualsIgnoringCase(entry.key, "traceparent"))
      return WellFormedTraceparent(entry.value);
  }
  return {};
}

void DescribeRule(const Config& config, const RuleConfig& rule, AuditRecord* record) {
  record->rule = rule.name;
  record->enforced = rule.enforce;
  if (rule.action == RuleConfig::Action::kAllow)
    record->backend = config.backends[rule.backend].name;
}

}  // namespace

void DescribePeer(const PeerIdentity& identity, AuditRecord* record) {
  record->listener = identity.listener->name;
  record->pid = identity.pid;
  record->uid = identity.uid;
  record->gid = identity.gid;
  record->peer = identity.id;
  record->comm = identity.labels.comm();
  record->loginuid = identity.labels.loginuid();
}

const RuleConfig* PeerAudit::Rule(std::optional<size_t> index) const {
  return index ? &config_->rules[*index] : nullptr;
}

AuditRecord PeerAudit::Record(AuditEvent event) const {
  AuditRecord record;
  record.event = event;
  DescribePeer(identity_, &record);
  return record;
}

void PeerAudit::Describe(const AuditedRequest& what, AuditRecord* record) const {
  record->stream_id = what.id;
  record->service = what.request.service;
  record->method = what.request.method;
  record->kind = KindOf(what.flags);
  record->request_bytes = what.bytes;
  record->traceparent = TraceparentOf(what.request);
  record->workload = what.workload;
  record->pod = what.pod;
}

// A call is described with the names of the configuration that allowed it.
void PeerAudit::Describe(const Call& call, AuditRecord* record) const {
  record->stream_id = call.id;
  record->kind = call.state.unary() ? "unary" : "stream";
  record->service = call.label.service();
  record->method = call.label.method();
  record->traceparent = call.label.traceparent();
  if (call.workload) {
    record->workload = call.workload->name;
    if (call.label.pod_known) record->pod = call.workload->pod;
  }
  const Config& config = call.generation->config();
  DescribeRule(config, config.rules[call.rule], record);
  record->request_bytes = call.request_bytes;
  record->response_bytes = call.response_bytes;
}

bool PeerAudit::Wants(AuditEvent event, const RuleConfig* rule) const {
  if (rule == nullptr) return reports_.Wants(event, std::nullopt, std::nullopt);
  return reports_.Wants(event, rule->enforce, rule->audit);
}

void PeerAudit::Tell(const AuditRecord& record, const RuleConfig* rule) const {
  reports_.Tell(record, rule == nullptr ? std::nullopt : rule->audit);
}

void PeerAudit::Connection(AuditEvent event, const AuditCause& cause) const {
  if (!Wants(event, nullptr)) return;
  AuditRecord record = Record(event);
  record.SetCause(cause);
  Tell(record, nullptr);
}

void PeerAudit::Refused(ttrpc::StatusCode code, const AuditCause& cause) const {
  if (!Wants(AuditEvent::kRefuse, nullptr)) return;
  AuditRecord record = Record(AuditEvent::kRefuse);
  record.code = code;
  record.SetCause(cause);
  Tell(record, nullptr);
}

void PeerAudit::Refused(const AuditedRequest& what, const OwnAnswer& answer) const {
  const RuleConfig* const rule = Rule(answer.rule);
  if (!Wants(AuditEvent::kRefuse, rule)) return;
  AuditRecord record = Record(AuditEvent::kRefuse);
  Describe(what, &record);
  if (rule != nullptr) DescribeRule(*config_, *rule, &record);
  record.code = answer.code;
  record.SetCause(answer.cause);
  Tell(record, rule);
}

void PeerAudit::Refused(const Call& call, ttrpc::StatusCode code, const AuditCause& cause) const {
  const RuleConfig& rule = call.generation->config().rules[call.rule];
  if (!Wants(AuditEvent::kRefuse, &rule)) return;
  AuditRecord record = Record(AuditEvent::kRefuse);
  Describe(call, &record);
  record.code = code;
  record.SetCause(cause);
  Tell(record, &rule);
}

void PeerAudit::Decided(const AuditedRequest& what, const Verdict& verdict,
                        AuditReason reason) const {
  for (const size_t rule : verdict.shadows) Decision(what, Rule(rule), false, reason);
  if (!verdict.allowed) Decision(what, Rule(verdict.rule), true, reason);
}

void PeerAudit::Decision(const AuditedRequest& what, const RuleConfig* rule, bool enforced,
                         AuditReason reason) const {
  // A shadow decision has the event that an enforced one would have had.
  const bool allows = rule != nullptr && rule->action == RuleConfig::Action::kAllow;
  const AuditEvent event = allows ? AuditEvent::kCall : AuditEvent::kDeny;
  if (!Wants(event, rule)) return;
  AuditRecord record = Record(event);
  Describe(what, &record);
  if (rule != nullptr) DescribeRule(*config_, *rule, &record);
  record.enforced = enforced;
  if (!allows) {
    record.code = ttrpc::StatusCode::kPermissionDenied;
    record.reason = rule != nullptr ? AuditReason::kDenyRule : reason;
  }
  Tell(record, rule);
}

void PeerAudit::Ended(const AuditedRequest& what, const OwnAnswer& answer) const {
  const RuleConfig* const rule = Rule(answer.rule);
  if (!Wants(AuditEvent::kCall, rule)) return;
  AuditRecord record = Record(AuditEvent::kCall);
  Describe(what, &record);
  DescribeRule(*config_, *rule, &record);
  record.code = answer.code;
  record.duration = std::chrono::microseconds(0);
  record.response_bytes = 0;
  record.SetCause(answer.cause);
  Tell(record, rule);
}

void PeerAudit::TellEnd(Call& call, const CallEnd& end) const {
  AuditRecord record = Record(AuditEvent::kCall);
  Describe(call, &record);
  record.code = end.code;
  record.duration = std::chrono::duration_cast<std::chrono::microseconds>(end.duration);
  record.SetCause(end.cause);
  // The line must fit into the room that was reserved for it.
  if (!FitsAuditLineBound(record.detail)) record.detail = {};
  record.carried_out = true;
  reports_.TellEnd(record, call.label.end_wanted, std::move(call.audit_reservation));
}

bool PeerAudit::Reserve(const AuditedRequest& what, const RuleConfig& rule,
                        AuditReservation* reservation) const {
  size_t bytes = 0;
  if (reports_.audit().Wants(AuditEvent::kCall, rule.enforce, rule.audit)) {
    bytes = AuditLineBound({.listener = identity_.listener->name,
                            .service = what.request.service,
                            .method = what.request.method,
                            .rule = rule.name,
                            .backend = config_->backends[rule.backend].name,
                            .comm = identity_.labels.comm(),
                            .workload = what.workload,
                            .pod = what.pod});
  }
  return reports_.audit().Reserve(identity_.uid, bytes, reservation);
}

void PeerAudit::Label(const AuditedRequest& what, Call* call) const {
  CallLabel& label = call->label;
  const RuleConfig& rule = config_->rules[call->rule];
  label.end_wanted = reports_.audit().Wants(AuditEvent::kCall, rule.enforce, rule.audit);
  label.pod_known = !what.pod.empty();
  label.Set(what.request.service, what.request.method, TraceparentOf(what.request));
}

void PeerAudit::TellPayload(const Call& call, bool response, std::string_view payload) const {
  const Config& config = call.generation->config();
  const RuleConfig& rule = config.rules[call.rule];
  reports_.Tell(PayloadRecord{.peer = identity_.id,
                              .stream_id = call.id,
                              .listener = identity_.listener->name,
                              .uid = identity_.uid,
                              .service = call.label.service(),
                              .method = call.label.method(),
                              .rule = rule.name,
                              .backend = config.backends[rule.backend].name,
                              .response = response,
                              .payload = payload});
}

}  // namespace proxyd
