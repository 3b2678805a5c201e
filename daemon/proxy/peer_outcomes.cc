// SPDX-License-Identifier: Apache-2.0
#include "proxy/peer_outcomes.h"

#include "proxy/backend_connection.h"

namespace proxyd {

namespace {

// The counters and the audit event of a message that failed a check.
struct Effects {
  AuditEvent event;
  std::optional<ProtocolError> error;
};

constexpr Effects EffectsOf(Stage stage) {
  switch (stage) {
    case Stage::kTooLong:
      return {AuditEvent::kRefuse, ProtocolError::kPeerMessageSize};
    case Stage::kData:
      return {AuditEvent::kRefuse, ProtocolError::kPeerData};
    case Stage::kStreamId:
      return {AuditEvent::kRefuse, ProtocolError::kPeerStreamId};
    case Stage::kEnvelope:
    case Stage::kNames:
    case Stage::kMetadata:
    case Stage::kFlags:
    case Stage::kService:
    case Stage::kPayload:
      return {AuditEvent::kRefuse, ProtocolError::kPeerEnvelope};
    case Stage::kPolicy:
      return {AuditEvent::kDeny, std::nullopt};
    case Stage::kStreams:
    case Stage::kLimit:
    case Stage::kForwardedSize:
      return {AuditEvent::kRefuse, std::nullopt};
    // The request itself was right: these are allowed calls that have ended already.
    case Stage::kWorkload:
    case Stage::kDraining:
    case Stage::kAudit:
    case Stage::kDeadline:
    case Stage::kBackend:
    case Stage::kPassed:
      break;
  }
  return {AuditEvent::kCall, std::nullopt};
}

}  // namespace

void PeerOutcomes::Decided(const AuditedRequest& what, const Verdict& verdict,
                           bool other_workload) {
  for (const size_t shadow : verdict.shadows)
    ++generation_->rule_counters(listener_, shadow).decisions;
  if (!verdict.repeatable()) {
    ++RuleOf(verdict).decisions;
    return audit_.Decided(what, verdict,
                          other_workload ? AuditReason::kPayload : AuditReason::kNoRule);
  }
  // It allows and has no shadows, so that the audit needs no line of it.
  if (!Remembers(verdict)) {
    remembered_ = {.rule = verdict.rule,
                   .labels = verdict.labels,
                   .rule_counters = &RuleOf(verdict),
                   .method_counters = &MethodOf(verdict)};
  }
  ++remembered_.rule_counters->decisions;
}

void PeerOutcomes::Stopped(const Outcome& outcome, const AuditedRequest* what) {
  Count(outcome);
  const ttrpc::StatusCode code = outcome.status.code();
  const AuditCause cause = outcome.cause();
  if (!outcome.named()) return audit_.Refused(code, cause);
  MethodOf(outcome.verdict).Count(code);
  switch (EffectsOf(outcome.stage).event) {
    case AuditEvent::kRefuse:
      return audit_.Refused(*what, {outcome.verdict.rule, code, cause});
    case AuditEvent::kCall:
      return audit_.Ended(*what, {outcome.verdict.rule, code, cause});
    default:  // a denial, which Decided() has reported
      return;
  }
}

void PeerOutcomes::Refused(const Call& call, const Outcome& outcome) {
  Count(outcome);
  audit_.Refused(call, outcome.status.code(), outcome.cause());
}

void PeerOutcomes::Closed(Limit limit, const AuditCause& cause) {
  counters_.Count(limit);
  audit_.Refused(ttrpc::StatusCode::kResourceExhausted, cause);
}

void PeerOutcomes::Forwarded(const AuditedRequest& what, const Verdict& verdict, Call* call) {
  ++counters_.calls;
  call->counters = &MethodOf(verdict);
  audit_.Label(what, call);
  audit_.Payload(*call, false, what.request.payload);
}

void PeerOutcomes::Ended(Call& call, const CallEnd& end) {
  call.counters->Count(end.code);
  call.backend->backend().counters().durations.Add(end.duration);
  audit_.Ended(call, end);
}

void PeerOutcomes::Count(const Outcome& outcome) {
  const Effects effects = EffectsOf(outcome.stage);
  if (effects.error) counters_.Count(*effects.error);
  if (outcome.limit) counters_.Count(*outcome.limit);
  if (effects.event == AuditEvent::kRefuse) ++counters_.refused;
  if (effects.event == AuditEvent::kDeny) ++counters_.denied;
}

bool PeerOutcomes::Remembers(const Verdict& verdict) const {
  return remembered_.method_counters != nullptr && verdict.rule == remembered_.rule &&
         verdict.labels.method.data() == remembered_.labels.method.data() &&
         verdict.labels.service.data() == remembered_.labels.service.data();
}

RuleCounters& PeerOutcomes::RuleOf(const Verdict& verdict) {
  if (Remembers(verdict)) return *remembered_.rule_counters;
  return generation_->rule_counters(listener_, verdict.rule);
}

// A call that is not allowed has no backend.
MethodCounters& PeerOutcomes::MethodOf(const Verdict& verdict) {
  if (Remembers(verdict)) return *remembered_.method_counters;
  return generation_->method_counters(listener_, verdict.allowed ? verdict.rule : std::nullopt,
                                      verdict.labels);
}

}  // namespace proxyd
