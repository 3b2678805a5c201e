// SPDX-License-Identifier: Apache-2.0
//
// PeerOutcomes: the one place where the outcome of a message or a call is counted and reported: in
// the worker's counters, in those of each rule and method, and in the audit. Peer calls it once for
// each outcome and sends the answer itself. It is used on the worker's thread.
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
  // All arguments must outlive this. `generation` is the peer's; Reset() must follow each change of
  // it.
  PeerOutcomes(WorkerCounters& counters, const PeerAudit& audit, const Ref<Generation>& generation,
               const ListenerState& listener)
      : counters_(counters), audit_(audit), generation_(generation), listener_(listener) {}

  void Reset() { remembered_ = {}; }

  // Counts and reports a verdict, including the rules with enforce = false that it passed. A later
  // failure of the same request is reported by Stopped(). `other_workload` is that of Outcome.
  void Decided(const AuditedRequest& what, const Verdict& verdict, bool other_workload = false);

  // Reports a message that the proxy answers itself. `what` is the request, or null if it is not
  // one.
  void Stopped(const Outcome& outcome, const AuditedRequest* what);
  // Reports a refused message of a call in flight. The end of the call is reported separately.
  void Refused(const Call& call, const Outcome& outcome);
  // Reports that the connection is closed because its user has reached this limit.
  void Closed(Limit limit, const AuditCause& cause);

  // Reports that a request is forwarded as this call, whose id, generation and rule must be set.
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
  // The counters of the last repeatable verdict. The admission repeats a verdict without a search,
  // and this does the same. Labels are views of one configuration: they are equal if their
  // addresses are.
  struct {
    std::optional<size_t> rule;
    MethodLabels labels;
    RuleCounters* rule_counters = nullptr;
    MethodCounters* method_counters = nullptr;
  } remembered_;
};

}  // namespace proxyd
