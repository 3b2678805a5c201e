// SPDX-License-Identifier: Apache-2.0
//
// CheckRequest: the checks of a request, in the order of the contract: id, envelope, names,
// metadata, flags, workload, policy, streams, draining. The first check that fails answers the
// request. It is a function over values, and changes only the admission's memory of the method that
// was allowed last. Anything that must be taken (slots, rates, a backend) follows in
// peer_request.cc, with the same Outcome.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "config/config.h"
#include "limits/limit.h"
#include "observe/audit_record.h"
#include "policy/policy.h"
#include "policy/snapshot.h"
#include "proxy/ref.h"
#include "proxy/workload_state.h"
#include "ttrpc/status.h"
#include "ttrpc/wire/message.h"
#include "ttrpc/wire/request.h"

namespace proxyd {

// The check that a message failed, in the order of the checks.
enum class Stage {
  // Failures that do not depend on the content of the message.
  kTooLong,  // too long; its data was discarded
  kData,     // data on an id without a call, or after the peer closed its side
  // Checks of CheckRequest().
  kStreamId,
  kEnvelope,
  kNames,
  kMetadata,
  kFlags,
  kService,  // at one socket for all, its requests name no workload
  kPayload,  // its workload cannot be read for sure
  kPolicy,
  kWorkload,  // not there, or something is wrong with it
  kStreams,
  kDraining,
  // Failures on the way to a backend.
  kAudit,  // the audit cannot write, and on_error is "refuse-calls"
  kLimit,
  kDeadline,
  kForwardedSize,  // too long with what the proxy added
  kBackend,        // no connection to the backend
  kPassed,         // no check failed
};

// The outcome of a peer's message: refused, denied by the policy, or permitted.
struct Outcome {
  Stage stage = Stage::kPassed;
  ttrpc::Status status;  // the answer; OK if the backend will answer
  // Set from Stage::kPolicy on. For the stages from kMetadata to kPayload only its labels are set.
  Verdict verdict;
  // The rule that allowed it, in the configuration of the check; null if none did.
  const RuleConfig* rule = nullptr;
  // The workload that the request is about. Null if the listener follows none, or if there is no
  // workload of that name.
  Ref<WorkloadState> workload = {};
  std::string unknown_workload = {};  // the name, if there is none
  // Set with Stage::kPolicy: the request names a workload that is not served at this front. No rule
  // was consulted.
  bool other_workload = false;
  std::optional<Limit> limit;  // set with Stage::kLimit
  // Set with Stage::kBackend. The answer does not contain it, since it is for the operator only.
  AuditReason backend_reason = AuditReason::kBackendUnreachable;
  std::string backend_detail = {};

  bool permitted() const { return stage == Stage::kPassed; }
  bool denied() const { return stage == Stage::kPolicy; }
  // The names of the workload and of its pod for the audit, or "". They are valid as long as this
  // outcome is unchanged.
  std::string_view workload_name() const {
    return workload ? std::string_view(workload->name) : std::string_view(unknown_workload);
  }
  std::string_view pod() const {
    return workload ? std::string_view(workload->pod) : std::string_view();
  }
  // The envelope could be parsed.
  bool decoded() const { return stage > Stage::kEnvelope; }
  // The names are valid, so that they may be counted and reported.
  bool named() const { return stage > Stage::kNames; }
  // The policy has given a verdict.
  bool decided() const { return stage >= Stage::kPolicy; }
  // Returns the cause for the audit. Its views are valid as long as this outcome is unchanged.
  AuditCause cause() const;

  void Fail(Stage at, ttrpc::Status answer);
  void Fail(Limit reached, ttrpc::Status answer) {
    Fail(Stage::kLimit, std::move(answer));
    limit = reached;
  }
  void FailAtBackend(AuditReason reason, std::string detail, ttrpc::Status answer) {
    Fail(Stage::kBackend, std::move(answer));
    backend_reason = reason;
    backend_detail = std::move(detail);
  }
  // Fails if `result`, the result of `check`, is not OK.
  bool Passes(Stage check, ttrpc::Status&& result) {
    if (result.ok()) return true;
    Fail(check, std::move(result));
    return false;
  }
};

// A request as it was received.
struct RequestMessage {
  ttrpc::MessageHeader header;
  std::string_view data;
  bool id_in_use;  // by another call of this peer
};

// The key of the limit that a too long message has reached. It is not in Limit, which has only what
// a user may hold at a time.
inline constexpr std::string_view kMessageSizeKey = "message_size";

// The workloads among which a request may name one, borrowed for the call.
struct WorkloadScope {
  const WorkloadTable* table = nullptr;  // null if the listener follows none
  WorkloadState* front = nullptr;        // the owner of the socket; null at one socket for all
  bool named = false;                    // whether requests name their workload, as containerd's do
};

// The values that a request is checked against, borrowed for the call.
struct CheckContext {
  const Snapshot& snapshot;
  Admission& admission;  // the peer's; it may remember the method
  uid_t uid;             // the peer's
  UnknownFields unknown_fields;
  bool draining;
  WorkloadScope scope = {};
};

// Parses into `request`, whose views are valid as long as the message's data, and puts the metadata
// that it looked up into `guarded`. Reused objects allocate nothing. Both are unspecified unless
// the outcome is named().
Outcome CheckRequest(const RequestMessage& message, const CheckContext& context,
                     ttrpc::RequestView* request, GuardedValues* guarded);

}  // namespace proxyd
