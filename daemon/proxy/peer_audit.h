// SPDX-License-Identifier: Apache-2.0
//
// PeerAudit: what is told of one peer, to the audit and to whoever looks on (Reports). It knows who
// the peer is and which record each outcome deserves. Puts one together only if it is wanted. On
// the worker's thread.
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
  uint64_t id = 0;                           // never used again
  const ListenerConfig* listener = nullptr;  // that it came by, as it is called now
  pid_t pid = 0;
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  ProcessLabels labels = {};
};

// What every record of a peer has, also of one that was refused.
void DescribePeer(const PeerIdentity& identity, AuditRecord* record);

// A request as its line tells it.
struct AuditedRequest {
  const ttrpc::RequestView& request;
  uint32_t id;    // of its stream
  uint8_t flags;  // of its message
  size_t bytes;   // of its data
};

class PeerAudit {
 public:
  // `reports` and `identity` must outlive it; `config` too, or be replaced before it goes.
  PeerAudit(const Config& config, Reports& reports, const PeerIdentity& identity)
      : config_(&config), reports_(reports), identity_(identity) {}

  void SetConfig(const Config& config) { config_ = &config; }

  void Connected() const { Connection(AuditEvent::kConnect, {}); }
  void Disconnected(const AuditCause& cause) const { Connection(AuditEvent::kDisconnect, cause); }

  // How the proxy answers a request by itself.
  struct OwnAnswer {
    std::optional<size_t> rule;  // that had allowed it, if any had
    ttrpc::StatusCode code;
    const AuditCause& cause;
  };

  // A message that is refused before its request could be read, or that belongs to none.
  void Refused(ttrpc::StatusCode code, const AuditCause& cause) const;
  // A request that is refused.
  void Refused(const AuditedRequest& what, const OwnAnswer& answer) const;
  // A message that is refused of a call in flight.
  void Refused(const Call& call, ttrpc::StatusCode code, const AuditCause& cause) const;

  // The decisions that rules with enforce = false would have made, then the denial, if it is one.
  void Decided(const AuditedRequest& what, const Verdict& verdict) const;

  // An allowed call that ended before it was forwarded; the answer has its rule.
  void Ended(const AuditedRequest& what, const OwnAnswer& answer) const;
  // Takes up the room that was kept for the line.
  void Ended(Call& call, const CallEnd& end) const {
    if (call.label.end_wanted || reports_.watched()) TellEnd(call, end);
  }

  // Room for the line of a call that this rule allows, if one is wanted. False: the audit has none,
  // and the call is to be refused.
  bool Reserve(const ttrpc::RequestView& request, size_t rule, AuditReservation* reservation) const;

  // Notes in a new call what will be told of it.
  void Label(const AuditedRequest& what, Call* call) const;

  // A message of a call that is forwarded; nothing is done where nobody looks on.
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
  void Decision(const AuditedRequest& what, const RuleConfig* rule, bool enforced) const;

  const Config* config_;  // that new calls refer to
  Reports& reports_;
  const PeerIdentity& identity_;
};

}  // namespace proxyd
