// SPDX-License-Identifier: Apache-2.0
//
// Reports: receives all decisions and events, and passes them to the audit, to the sinks that watch
// at the moment, and to the list of the latest refusals. It is used on the worker's thread.
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

// A forwarded message of a call. The views are borrowed.
struct PayloadRecord {
  uint64_t peer = 0;
  uint32_t stream_id = 0;  // on the peer's side
  std::string_view listener;
  uid_t uid = static_cast<uid_t>(-1);
  std::string_view service;
  std::string_view method;
  std::string_view rule;
  std::string_view backend;
  bool response = false;     // whether it goes to the peer
  std::string_view payload;  // the method's own message
};

// Receives events as they happen.
class ReportSink {
 public:
  virtual void OnRecord(const AuditRecord& record) = 0;
  virtual void OnPayload(const PayloadRecord& record) = 0;
  virtual bool wants_payloads() const = 0;

 protected:
  ~ReportSink() = default;
};

// A refusal or an enforced denial.
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
  // How many refusals are kept.
  static constexpr size_t kRefusals = 50;

  // `audit` must outlive this.
  explicit Reports(Audit& audit) : audit_(audit) {}
  Reports(const Reports&) = delete;
  Reports& operator=(const Reports&) = delete;

  Audit& audit() const { return audit_; }

  // Returns whether anybody wants an event of this kind, decided by a rule with this override, if
  // any. Ask before building a record.
  bool Wants(AuditEvent event, std::optional<bool> enforced,
             std::optional<AuditCalls> rule_override) const {
    return watched() || event == AuditEvent::kRefuse || event == AuditEvent::kDeny ||
           audit_.Wants(event, enforced, rule_override);
  }
  void Tell(const AuditRecord& record, std::optional<AuditCalls> rule_override);
  // Reports the end of a call that a backend got. `audited` was decided when the call was
  // forwarded; `reservation` is the room for its line, if any.
  void TellEnd(const AuditRecord& record, bool audited, AuditReservation reservation);

  // Returns whether there are sinks.
  bool watched() const { return !sinks_.empty(); }
  bool wants_payloads() const { return payloads_wanted_; }
  void Tell(const PayloadRecord& record);

  // The sink must stay valid until Remove(). These must not be called from within a sink's
  // function.
  void Add(ReportSink* sink);
  void Remove(ReportSink* sink);

  // The latest refusal comes first.
  const std::deque<Refusal>& refusals() const { return refusals_; }
  // The enforced denials since the start.
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
