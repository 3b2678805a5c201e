// SPDX-License-Identifier: Apache-2.0
//
// PeerAudit: what is reported about one peer, to the audit and to those who watch (see Reports). It
// knows who the peer is and which record each outcome needs, and builds a record only if somebody
// wants it. It is used on the worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "config/config.h"
#include "observe/audit.h"
#include "observe/process_labels.h"
#include "observe/reports.h"
#include "policy/policy.h"
#include "proxy/call.h"
#include "ttrpc/status.h"
#include "ttrpc/wire/request.h"

namespace proxyd {

struct PeerIdentity {
  uint64_t id = 0;  // never used again
  // The listener that accepted it, under its present name.
  const ListenerConfig* listener = nullptr;
  pid_t pid = 0;
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  ProcessLabels labels = {};
};

// Sets what every record of a peer has, even the record of a refused one.
void DescribePeer(const PeerIdentity& identity, AuditRecord* record);

// A request, as its audit line shows it.
struct AuditedRequest {
  const ttrpc::RequestView& request;
  uint32_t id;                     // the id of its stream
  uint8_t flags;                   // the flags of its message
  size_t bytes;                    // the size of its data
  std::string_view workload = {};  // NAMESPACE/ID of the workload that it names, if it does
  std::string_view pod = {};       // NAMESPACE/NAME of that workload's pod
};

class PeerAudit {
 public:
  // `reports` and `identity` must outlive this, and so must `config` unless SetConfig() replaces
  // it.
  PeerAudit(const Config& config, Reports& reports, const PeerIdentity& identity)
      : config_(&config), reports_(reports), identity_(identity) {}

  void SetConfig(const Config& config) { config_ = &config; }

  void Connected() const { Connection(AuditEvent::kConnect, {}); }
  void Disconnected(const AuditCause& cause) const { Connection(AuditEvent::kDisconnect, cause); }

  // The proxy's own answer to a request.
  struct OwnAnswer {
    std::optional<size_t> rule;  // the rule that had allowed it, if any
    ttrpc::StatusCode code;
    const AuditCause& cause;
  };

  // Reports a refused message that belongs to no request, or whose request could not be parsed.
  void Refused(ttrpc::StatusCode code, const AuditCause& cause) const;
  // Reports a refused request.
  void Refused(const AuditedRequest& what, const OwnAnswer& answer) const;
  // Reports a refused message of a call in flight.
  void Refused(const Call& call, ttrpc::StatusCode code, const AuditCause& cause) const;

  // Reports the decisions that rules with enforce = false would have made, then the denial, if any.
  // `reason` is the one of a denial by no rule.
  void Decided(const AuditedRequest& what, const Verdict& verdict, AuditReason reason) const;

  // Reports an allowed call that ended before it was forwarded; the answer must have its rule.
  void Ended(const AuditedRequest& what, const OwnAnswer& answer) const;
  // Reports the end of a forwarded call, in the room that was reserved for it.
  void Ended(Call& call, const CallEnd& end) const {
    if (call.label.end_wanted || reports_.watched()) TellEnd(call, end);
  }

  // Reserves room for the line of a call that this rule allows, if a line is wanted. False means
  // that the audit has no room and the call must be refused.
  bool Reserve(const AuditedRequest& what, const RuleConfig& rule,
               AuditReservation* reservation) const;

  // Stores in a new call what its audit line will need.
  void Label(const AuditedRequest& what, Call* call) const;

  // Reports a forwarded message of a call. Does nothing unless somebody watches payloads.
  void Payload(const Call& call, bool response, std::string_view payload) const {
    if (reports_.wants_payloads()) TellPayload(call, response, payload);
  }

 private:
  AuditRecord Record(AuditEvent event) const;
  void Describe(const AuditedRequest& what, AuditRecord* record) const;
  void Describe(const Call& call, AuditRecord* record) const;
  bool Wants(AuditEvent event, const RuleConfig* rule) const;
  const RuleConfig* Rule(std::optional<size_t> index) const;
  void TellEnd(Call& call, const CallEnd& end) const;
  void TellPayload(const Call& call, bool response, std::string_view payload) const;
  void Tell(const AuditRecord& record, const RuleConfig* rule) const;
  void Connection(AuditEvent event, const AuditCause& cause) const;
  void Decision(const AuditedRequest& what, const RuleConfig* rule, bool enforced,
                AuditReason reason) const;

  const Config* config_;  // the one that new calls refer to
  Reports& reports_;
  const PeerIdentity& identity_;
};

}  // namespace proxyd
