// SPDX-License-Identifier: Apache-2.0
//
// Reports: where all that is decided and all that happens is told: to the audit, to whoever taps it
// just now, and to the list of the latest refusals. On the worker's thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "observe/audit.h"
#include "observe/top_denied.h"
#include "ttrpc/status.h"

namespace proxyd {

// A message of a call, as it is forwarded. Views are borrowed.
struct PayloadRecord {
  uint64_t peer = 0;
  uint32_t stream_id = 0;  // the peer's
  std::string_view listener;
  uid_t uid = static_cast<uid_t>(-1);
  std::string_view service;
  std::string_view method;
  std::string_view rule;
  std::string_view backend;
  bool response = false;     // it goes to the peer
  std::string_view payload;  // the method's own message
};

// Whoever is told what happens as it does.
class ReportSink {
 public:
  virtual void OnRecord(const AuditRecord& record) = 0;
  virtual void OnPayload(const PayloadRecord& record) = 0;
  virtual bool wants_payloads() const = 0;

 protected:
  ~ReportSink() = default;
};

// A refusal or a denial, enforced.
struct Refusal {
  std::chrono::system_clock::time_point time;
  AuditEvent event;
  std::string listener;
  uid_t uid;
  pid_t pid;
  std::string service;
  std::string method;
  std::string rule;
  std::optional<ttrpc::StatusCode> code;
  AuditReason reason;
  std::string limit;
  std::string detail;
};

class Reports {
 public:
  // So many refusals are kept.
  static constexpr size_t kRefusals = 50;

  // `audit` must outlive it.
  explicit Reports(Audit& audit) : audit_(audit) {}
  Reports(const Reports&) = delete;
  Reports& operator=(const Reports&) = delete;

  Audit& audit() const { return audit_; }

  // Whether an event of this kind, decided by a rule with this override (if any), is of interest to
  // anybody: ask before putting a record together.
  bool Wants(AuditEvent event, std::optional<bool> enforced,
             std::optional<AuditCalls> rule_override) const {
    return watched() || event == AuditEvent::kRefuse || event == AuditEvent::kDeny ||
           audit_.Wants(event, enforced, rule_override);
  }
  void Tell(const AuditRecord& record, std::optional<AuditCalls> rule_override);
  // The end of a call that a backend got. Whether the audit wants it was decided when the call was
  // forwarded; `reservation`: the room for its line, if any was kept.
  void TellEnd(const AuditRecord& record, bool audited, AuditReservation reservation);

  // Somebody looks on.
  bool watched() const { return !sinks_.empty(); }
  bool wants_payloads() const { return payloads_wanted_; }
  void Tell(const PayloadRecord& record);

  // Until Remove(). Not from within a call of a sink.
  void Add(ReportSink* sink);
  void Remove(ReportSink* sink);

  // The latest first.
  const std::deque<Refusal>& refusals() const { return refusals_; }
  // Enforced denials since the start.
  const TopDenied& top_denied() const { return top_denied_; }

 private:
  void Keep(const AuditRecord& record);
  void UpdatePayloads();

  Audit& audit_;
  std::vector<ReportSink*> sinks_;
  bool payloads_wanted_ = false;
  std::deque<Refusal> refusals_;
  TopDenied top_denied_;
};

}  // namespace proxyd
