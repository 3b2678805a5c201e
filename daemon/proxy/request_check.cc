// SPDX-License-Identifier: Apache-2.0
#include "proxy/request_check.h"

#include <utility>

#include "proxy/answers.h"
#include "proxy/request_rules.h"

namespace proxyd {

using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

Status CheckStreamId(const RequestMessage& message) {
  if (message.header.stream_id % 2 == 0) return StreamIdMustBeOdd();
  if (message.id_in_use) return StreamIdInUse();
  return {};
}

Status CheckFlags(uint8_t flags) {
  constexpr uint8_t kBoth = ttrpc::kFlagRemoteClosed | ttrpc::kFlagRemoteOpen;
  if ((flags & kBoth) != kBoth) return {};
  return {StatusCode::kInvalidArgument, "remote closed and remote open cannot be combined"};
}

Status CheckStreams(uint8_t flags, const RuleConfig& rule, const ttrpc::RequestView& request) {
  if ((flags & ttrpc::kFlagRemoteOpen) == 0 || rule.streams) return {};
  return {StatusCode::kInvalidArgument, FullMethod(request) + " may not stream"};
}

ttrpc::UnknownFieldAction ActionOf(UnknownFields unknown_fields) {
  return unknown_fields == UnknownFields::kDrop ? ttrpc::UnknownFieldAction::kDrop
                                                : ttrpc::UnknownFieldAction::kRefuse;
}

// Adds advice to a failure of the envelope or the names if neither a service nor a method could be
// read: the data is probably no request at all.
Status AdviseIfUnreadable(Status status, const RequestMessage& message,
                          const ttrpc::RequestView& request) {
  const bool unreadable =
      !message.data.empty() && request.service.empty() && request.method.empty();
  if (status.ok() || !unreadable) return status;
  return NotReadable(status);
}

AuditReason ReasonOf(const Outcome& outcome) {
  switch (outcome.stage) {
    case Stage::kTooLong:
    case Stage::kForwardedSize:
    case Stage::kLimit:
      return AuditReason::kLimit;
    case Stage::kData:
    case Stage::kStreamId:
    case Stage::kEnvelope:
    case Stage::kNames:
    case Stage::kFlags:
    case Stage::kStreams:
      return AuditReason::kMalformed;
    case Stage::kMetadata:
      return AuditReason::kMetadata;
    case Stage::kPolicy:
      return outcome.verdict.rule ? AuditReason::kDenyRule : AuditReason::kNoRule;
    case Stage::kDraining:
      return AuditReason::kDraining;
    case Stage::kAudit:
      return AuditReason::kAuditFailing;
    case Stage::kDeadline:
      return AuditReason::kDeadline;
    case Stage::kBackend:
      return outcome.backend_reason;
    case Stage::kPassed:
      break;
  }
  return AuditReason::kNone;
}

}  // namespace

AuditCause Outcome::cause() const {
  AuditCause cause = {.reason = ReasonOf(*this), .limit = {}, .detail = status.message()};
  if (limit) cause.limit = NameOf(*limit);
  if (stage == Stage::kTooLong || stage == Stage::kForwardedSize) cause.limit = kMessageSizeKey;
  if (!backend_detail.empty()) cause.detail = backend_detail;
  // The record already says which user was denied which method.
  if (denied()) cause.detail = {};
  return cause;
}

Outcome CheckRequest(const RequestMessage& message, const CheckContext& context,
                     ttrpc::RequestView* request, GuardedValues* guarded) {
  const Policy& policy = context.snapshot.policy;
  const uint8_t flags = message.header.flags;
  Outcome outcome;

  if (!outcome.Passes(Stage::kStreamId, CheckStreamId(message))) return outcome;
  Status parsed = ttrpc::ParseRequest(message.data, ActionOf(context.unknown_fields), request);
  if (!outcome.Passes(Stage::kEnvelope, AdviseIfUnreadable(std::move(parsed), message, *request)))
    return outcome;
  // Names that the admission remembers were checked when they were first allowed.
  if (!context.admission.Remembers(*request) &&
      !outcome.Passes(Stage::kNames, AdviseIfUnreadable(CheckNames(*request), message, *request)))
    return outcome;

  if (!outcome.Passes(Stage::kMetadata,
                      policy.CheckGuardedMetadata(context.admission, request->metadata, guarded)) ||
      !outcome.Passes(Stage::kFlags, CheckFlags(flags))) {
    outcome.verdict.labels = policy.LabelsOf(context.admission, *request);
    return outcome;
  }

  outcome.verdict = policy.Decide(&context.admission, *request, *guarded);
  if (!outcome.verdict.allowed) {
    outcome.Fail(Stage::kPolicy, MayNotCall(context.uid, *request));
    return outcome;
  }
  const RuleConfig& rule = context.snapshot.config.rules[*outcome.verdict.rule];
  if (!outcome.Passes(Stage::kStreams, CheckStreams(flags, rule, *request))) return outcome;
  if (context.draining) outcome.Fail(Stage::kDraining, Draining());
  return outcome;
}

}  // namespace proxyd
