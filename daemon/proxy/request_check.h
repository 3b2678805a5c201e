// SPDX-License-Identifier: Apache-2.0
//
// CheckRequest: the checks of a request in the order of the contract: id, envelope, names,
// metadata, flags, policy, streams, draining; the first that fails answers. A function over
// values: of these it changes only the policy's memory of what was allowed last. What has to be
// taken and not only looked at (slots, rates, a backend) follows in peer_request.cc, which puts its
// refusals into the same Outcome.
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
#include "ttrpc/status.h"
#include "ttrpc/wire/message.h"
#include "ttrpc/wire/request.h"

namespace proxyd {

// The check that a peer's message failed, in the order of the checks.
enum class Stage {
  // Messages that are refused whatever they contain.
  kTooLong,  // its data is discarded
  kData,     // data on an id without a call, or on a call whose peer side is closed
  // CheckRequest().
  kStreamId,
  kEnvelope,
  kNames,
  kMetadata,
  kFlags,
  kPolicy,
  kStreams,
  kDraining,
  // On the way to a backend.
  kAudit,  // it refuses calls while it cannot write
  kLimit,
  kDeadline,
  kForwardedSize,  // too long with what the proxy adds
  kBackend,        // cannot be reached
  kPassed,         // no check failed
};

// What becomes of a peer's message: it is refused, denied by the policy or permitted.
struct Outcome {
  Stage stage = Stage::kPassed;
  ttrpc::Status status;  // the answer; OK: permitted, the answer will be the backend's
  // From Stage::kPolicy on; for kMetadata and kFlags only its labels.
  Verdict verdict;
  std::optional<Limit> limit;  // with Stage::kLimit
  // With Stage::kBackend: what the answer does not say, since it is the operator's business.
  AuditReason backend_reason = AuditReason::kBackendUnreachable;
  std::string backend_detail = {};

  bool permitted() const { return stage == Stage::kPassed; }
  bool denied() const { return stage == Stage::kPolicy; }
  // The envelope could be read.
  bool decoded() const { return stage > Stage::kEnvelope; }
  // The names are such as may be counted and reported.
  bool named() const { return stage > Stage::kNames; }
  // There is a verdict.
  bool decided() const { return stage >= Stage::kPolicy; }
  // Why it is not permitted, as the audit has it. Its views are valid as long as this is unchanged.
  AuditCause cause() const;

  void Fail(Stage at, ttrpc::Status answer) {
    stage = at;
    status = std::move(answer);
  }
  void Fail(Limit reached, ttrpc::Status answer) {
    Fail(Stage::kLimit, std::move(answer));
    limit = reached;
  }
  void FailAtBackend(AuditReason reason, std::string detail, ttrpc::Status answer) {
    Fail(Stage::kBackend, std::move(answer));
    backend_reason = reason;
    backend_detail = std::move(detail);
  }
  // Fails unless the result of the check is OK.
  bool Passes(Stage check, ttrpc::Status result) {
    if (result.ok()) return true;
    Fail(check, std::move(result));
    return false;
  }
};

// A request as it came.
struct RequestMessage {
  ttrpc::MessageHeader header;
  std::string_view data;
  bool id_in_use;  // by a call of this peer
};

// The key of the limit that a message longer than it has reached. It is none of Limit: those are
// about what a user has at a time.
inline constexpr std::string_view kMessageSizeKey = "message_size";

// What a request is checked against; borrowed for the call.
struct CheckContext {
  const Snapshot& snapshot;
  Admission& admission;  // the peer's, of the snapshot's policy; it may remember the method
  uid_t uid;             // the peer's
  UnknownFields unknown_fields;
  bool draining;
};

// Decodes into `request`, whose views are valid as long as the message's data is, and puts what it
// looked for in the metadata into `guarded`. Both may have been used before and allocate nothing
// then; they are unspecified unless the outcome is named().
Outcome CheckRequest(const RequestMessage& message, const CheckContext& context,
                     ttrpc::RequestView* request, GuardedValues* guarded);

}  // namespace proxyd
