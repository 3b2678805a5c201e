// SPDX-License-Identifier: Apache-2.0
//
// PeerOutcomes: the one place where the outcome of a peer's message or call is counted and
// reported: by the worker's counters, by those for each rule and method, and by the audit. Peer
// calls it once for each and writes the answer. On the worker's thread.
#pragma once

#include <optional>

#include "limits/limit.h"
#include "observe/labeled_counters.h"
#include "policy/policy.h"
#include "proxy/call.h"
#include "proxy/generation.h"
#include "proxy/listener_state.h"
#include "proxy/peer_audit.h"
#include "proxy/ref.h"
#include "proxy/request_check.h"
#include "proxy/worker_counters.h"
#include "ttrpc/status.h"

namespace proxyd {

class PeerOutcomes {
 public:
  // All of these must outlive it. `generation` is the peer's; Reset() must follow each change.
  PeerOutcomes(WorkerCounters& counters, const PeerAudit& audit, const Ref<Generation>& generation,
               const ListenerState& listener)
      : counters_(counters), audit_(audit), generation_(generation), listener_(listener) {}

  void Reset() { remembered_ = {}; }

  // A verdict of the policy, and the rules with enforce = false that it went past. Whatever stops
  // the request then is reported by Stopped().
  void Decided(const AuditedRequest& what, const Verdict& verdict);

  // A message that the proxy answers by itself. `what`: the request; null if it is none.
  void Stopped(const Outcome& outcome, const AuditedRequest* what);
  // A message of a call in flight that is refused. The call's end follows.
  void Refused(const Call& call, const Outcome& outcome);
  // The connection is closed because the peer's user has reached this limit.
  void Closed(Limit limit, const AuditCause& cause);

  // A request that is forwarded as this call. Its id, generation and rule are set.
  void Forwarded(const AuditedRequest& what, const Verdict& verdict, Call* call);
  void Ended(Call& call, const CallEnd& end);

 private:
  void Count(const Outcome& outcome);
  bool Remembers(const Verdict& verdict) const;
  RuleCounters& RuleOf(const Verdict& verdict);
  MethodCounters& MethodOf(const Verdict& verdict);

  WorkerCounters& counters_;
  const PeerAudit& audit_;
  const Ref<Generation>& generation_;
  const ListenerState& listener_;
  // Where the last repeatable verdict counts: the admission repeats it without a search, and so
  // does this. Labels are views of the generation's configuration: equal if their addresses are.
  struct {
    std::optional<size_t> rule;
    MethodLabels labels;
    RuleCounters* rule_counters = nullptr;
    MethodCounters* method_counters = nullptr;
  } remembered_;
};

}  // namespace proxyd
