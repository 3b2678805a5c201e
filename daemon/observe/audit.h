// SPDX-License-Identifier: Apache-2.0
//
// Audit: one JSON object a line for what was decided. Called on the workers' threads; never waits:
// lines go through a bounded queue to a thread that writes them, and lines that do not fit are
// counted.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "config/config.h"
#include "ttrpc/status.h"

namespace proxyd {

enum class AuditEvent { kConnect, kRefuse, kCall, kDeny, kDisconnect };

// One line to be. Views are borrowed for the call; what is empty or absent is left out of the line.
struct AuditRecord {
  AuditEvent event = AuditEvent::kConnect;
  std::string_view listener;
  pid_t pid = 0;
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  std::string_view service;
  std::string_view method;
  std::string_view kind;  // "unary", "stream"
  std::string_view rule;
  std::optional<bool> enforced;
  std::string_view backend;
  std::optional<ttrpc::StatusCode> code;
  std::optional<std::chrono::microseconds> duration;
  std::optional<uint64_t> request_bytes;
  std::optional<uint64_t> response_bytes;
  std::string_view traceparent;
};

// Where finished lines go: a log or a file. Write() is called on the audit's own thread and may
// block.
class AuditTarget {
 public:
  virtual ~AuditTarget() = default;
  // `lines`: whole lines, each with its newline. False: it failed (and was said once); the lines
  // are lost.
  virtual bool Write(std::string_view lines) = 0;
  // SIGUSR1.
  virtual void Reopen() {}
};

class Audit {
 public:
  Audit(const AuditConfig& config, std::unique_ptr<AuditTarget> target);
  // Writes what is queued, for at most a second, and ends the thread.
  ~Audit();
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  // Whether an event of this kind, decided by a rule with this override (if any), is to be written:
  // ask before putting a record together.
  bool Wants(AuditEvent event, std::optional<bool> enforced,
             std::optional<AuditCalls> rule_override) const;

  // Formats and queues. Refusals, denials and shadow decisions are held to rate_per_user lines a
  // second for each uid; what is over is told in one line with `suppressed` within a second.
  void Record(const AuditRecord& record);

  // on_error = "refuse-calls" and the queue is full or the target fails: new calls are to be
  // refused.
  bool refusing_calls() const;

  uint64_t lost() const;  // lines, ever
  void Reopen();          // any thread

 private:
  class Writer;
  class RateLimiter;
  AuditConfig config_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<RateLimiter> limiter_;
};

}  // namespace proxyd
