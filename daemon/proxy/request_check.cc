// SPDX-License-Identifier: Apache-2.0
#include "proxy/request_check.h"

#include <utility>

#include "proxy/answers.h"
#include "proxy/request_rules.h"
#include "proxy/workload_request.h"

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
    case Stage::kService:
    case Stage::kPayload:
      return AuditReason::kPayload;
    case Stage::kPolicy:
      if (outcome.other_workload) return AuditReason::kPayload;
      return outcome.verdict.rule ? AuditReason::kDenyRule : AuditReason::kNoRule;
    case Stage::kDraining:
      return AuditReason::kDraining;
    case Stage::kAudit:
      return AuditReason::kAuditFailing;
    case Stage::kDeadline:
      return AuditReason::kDeadline;
    case Stage::kWorkload:
      return AuditReason::kBackendUnreachable;
    case Stage::kBackend:
      return outcome.backend_reason;
    case Stage::kPassed:
      break;
  }
  return AuditReason::kNone;
}

// Reads the namespace that the request names, if its requests name workloads. One socket for all
// needs it. A front has a namespace of its own, so that the request may leave it out.
Status CheckNamespace(const WorkloadScope& scope, const ttrpc::RequestView& request,
                      WorkloadView* view) {
  if (scope.table == nullptr || !scope.named) return {};
  return ReadNamespace(request.metadata, scope.front == nullptr, &view->name_space);
}

void SetWorkload(WorkloadState* workload, WorkloadView* view, Outcome* outcome) {
  outcome->workload = Ref<WorkloadState>(workload);
  *view = workload->view();
}

// Returns the workload of this id if a request at the front may name it: the front's own, or a
// member of its sandbox, whose calls the sandbox's shim serves. Else returns null.
WorkloadState* ServedAt(const WorkloadScope& scope, std::string_view id) {
  const Workload& own = scope.front->workload;
  if (id == own.key.id) return scope.front;
  WorkloadState* const other = scope.table->Find(own.key.name_space, id);
  if (other == nullptr || !other->serves()) return nullptr;
  const bool member =
      other->workload.sandbox == own.key.id && other->workload.address == own.address;
  return member ? other : nullptr;
}

// Finds the workload that a request at a front is about. `id` is null if the requests of its
// service name none. `view` has the namespace that the request names, or none. Returns false if the
// request names a workload that this front does not serve. One shim may serve a whole pod, or
// several namespaces, so that it would carry out the call.
bool FindAtFront(const CheckContext& context, const ttrpc::RequestView& request,
                 const std::string_view* id, WorkloadView* view, Outcome* outcome) {
  const WorkloadScope& scope = context.scope;
  const WorkloadKey& own = scope.front->workload.key;
  const std::string_view name_space =
      view->name_space.empty() ? std::string_view(own.name_space) : view->name_space;
  WorkloadState* workload = nullptr;
  if (name_space == own.name_space) workload = id != nullptr ? ServedAt(scope, *id) : scope.front;
  if (workload != nullptr) {
    SetWorkload(workload, view, outcome);
    return true;
  }
  outcome->Fail(Stage::kPolicy, MayNotCall(context.uid, request));
  outcome->other_workload = true;
  outcome->unknown_workload =
      NameOfUnknownWorkload(name_space, id != nullptr ? *id : std::string_view(own.id));
  return false;
}

// Finds the workload that the request is about. `view` is what the policy sees of it, and has the
// namespace that the request names already. Returns false if the request failed.
bool FindWorkload(const CheckContext& context, const ttrpc::RequestView& request,
                  WorkloadView* view, Outcome* outcome) {
  const WorkloadScope& scope = context.scope;
  const WantedField* const field = scope.named ? WorkloadFieldOf(request.service) : nullptr;
  if (field == nullptr) {
    if (scope.front != nullptr) return FindAtFront(context, request, nullptr, view, outcome);
    outcome->Fail(Stage::kService, UnknownService(request));
    return false;
  }
  std::string_view id;
  if (!outcome->Passes(Stage::kPayload, ReadWorkloadId(request, *field, &id))) return false;
  if (scope.front != nullptr) return FindAtFront(context, request, &id, view, outcome);
  WorkloadState* const workload = scope.table->Find(view->name_space, id);
  if (workload != nullptr) {
    SetWorkload(workload, view, outcome);
  } else {
    view->id = id;
    outcome->unknown_workload = NameOfUnknownWorkload(view->name_space, id);
  }
  return true;
}

// Only a user whom a rule allows the method may learn whether a workload is there. At a front, the
// front's own workload serves all calls.
void CheckWorkload(const WorkloadScope& scope, Outcome* outcome) {
  if (scope.table == nullptr) return;
  const WorkloadState* const server =
      scope.front != nullptr ? scope.front : outcome->workload.get();
  if (server == nullptr)
    return outcome->Fail(Stage::kWorkload, NoWorkload(outcome->unknown_workload));
  if (server->gone) return outcome->Fail(Stage::kWorkload, NoWorkload(server->name));
  if (server->serves()) return;
  outcome->Fail(Stage::kWorkload, WorkloadCannotBeUsed(server->name));
  outcome->backend_detail = server->workload.why;
}

}  // namespace

void Outcome::Fail(Stage at, Status answer) {
  stage = at;
  status = std::move(answer);
}

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
  if (!parsed.ok()) {
    outcome.Fail(Stage::kEnvelope, AdviseIfUnreadable(std::move(parsed), message, *request));
    return outcome;
  }
  // Names that the admission remembers were checked when they were first allowed.
  const Verdict* const remembered = context.admission.Recall(*request);
  if (remembered == nullptr &&
      !outcome.Passes(Stage::kNames, AdviseIfUnreadable(CheckNames(*request), message, *request)))
    return outcome;

  const WorkloadScope& scope = context.scope;
  WorkloadView view;
  if (!outcome.Passes(Stage::kMetadata,
                      policy.CheckGuardedMetadata(context.admission, request->metadata, guarded)) ||
      !outcome.Passes(Stage::kMetadata, CheckNamespace(scope, *request, &view)) ||
      !outcome.Passes(Stage::kFlags, CheckFlags(flags)) ||
      (scope.table != nullptr && !FindWorkload(context, *request, &view, &outcome))) {
    outcome.verdict.labels = policy.LabelsOf(context.admission, *request);
    return outcome;
  }

  if (remembered != nullptr) {
    outcome.verdict.Repeat(*remembered);
  } else {
    outcome.verdict = policy.Decide(&context.admission, *request, *guarded,
                                    scope.table != nullptr ? &view : nullptr);
  }
  if (!outcome.verdict.allowed) {
    outcome.Fail(Stage::kPolicy, MayNotCall(context.uid, *request));
    return outcome;
  }
  outcome.rule = &context.snapshot.config.rules[*outcome.verdict.rule];
  CheckWorkload(scope, &outcome);
  if (!outcome.permitted()) return outcome;
  if (!outcome.Passes(Stage::kStreams, CheckStreams(flags, *outcome.rule, *request)))
    return outcome;
  if (context.draining) outcome.Fail(Stage::kDraining, Draining());
  return outcome;
}

}  // namespace proxyd
