// SPDX-License-Identifier: Apache-2.0
//
// Audit: a record of what was decided, for a log, a file or the journal. Called on the workers'
// threads; never waits: records go through a bounded queue, of which each user has a share, to a
// thread that has them written, and those that do not fit are counted.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "observe/audit_record.h"
#include "observe/audit_shares.h"
#include "observe/user_names.h"
#include "ttrpc/status.h"

namespace proxyd {

// Where records go: a log or a file. Called on the audit's own thread, which may wait.
class AuditTarget {
 public:
  virtual ~AuditTarget() = default;
  // `records` are packed (PackAuditRecord). False: it failed (and was said once); what is not
  // kept() may be offered again.
  virtual bool Write(std::string_view records) = 0;
  // If the last Write() failed, how many bytes of its records, from the front, were written.
  virtual size_t kept() const { return 0; }
  // SIGUSR1. If it fails, so does each Write() until the file can be opened, which is tried at most
  // once a second.
  virtual void Reopen() {}
  // Whether Reopen() has succeeded, or has not been called; waits and tries again as Write() does.
  virtual bool IsOpen() { return true; }
  // Any thread, at any time: a Write() that waits returns soon, and each later one at once, false.
  virtual void GiveUp() {}
};

// The time, for tests to replace. Any thread.
class AuditClock {
 public:
  using Steady = std::chrono::steady_clock::time_point;
  virtual ~AuditClock() = default;
  virtual std::chrono::system_clock::time_point Now() = 0;  // for `time`
  virtual Steady SteadyNow() = 0;                           // for the rate
  // Waits for `wake`, until `until` if that is given, as a condition variable does.
  virtual void Wait(std::condition_variable& wake, std::unique_lock<std::mutex>& lock,
                    std::optional<Steady> until) = 0;
};

AuditClock& SystemAuditClock();  // lives for ever

class Audit {
 public:
  // `clock` and `names` must outlive the audit. Without `names`, records have no `user`.
  Audit(const AuditConfig& config, std::unique_ptr<AuditTarget> target,
        AuditClock& clock = SystemAuditClock(), UserNames* names = nullptr);
  ~Audit();  // with Stop()
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  // Whether an event of this kind, decided by a rule with this override (if any), is to be written:
  // ask before putting a record together.
  bool Wants(AuditEvent event, std::optional<bool> enforced,
             std::optional<AuditCalls> rule_override) const;

  // Before a call of this user is forwarded: room for its line of at most `bytes` (0: none is
  // wanted). False: with on_error = "refuse-calls" there is none, or the target fails, and the call
  // is to be refused. Any thread, without a lock.
  bool Reserve(uid_t uid, size_t bytes, AuditReservation* reservation);

  // Queues it, in the room that was kept for it, if any was. Refusals, denials and shadow
  // decisions are held to rate_per_user lines a second for each uid, all lines but those of calls
  // that were carried out to bytes_per_user (0: no limit); what is over is told within a second in
  // one line with the uid, the event of the last one and `suppressed`. Any thread.
  void Record(const AuditRecord& record, AuditReservation reservation = {});

  // on_error = "refuse-calls" and the target fails: each new call is to be refused. Lines are then
  // kept and offered again each second, and calls go on once they stand there. Any thread.
  bool refusing_calls() const;

  // From here on as `config` says; what is queued is written to `target`, too, if one is given, and
  // otherwise all goes on to the one there is. A target that is blocked is given up: what it did
  // not take is offered to the next. Never waits. Any thread.
  void Reconfigure(const AuditConfig& config, std::unique_ptr<AuditTarget> target);

  // Once, and the last call: writes what is queued, until `deadline` if the target is blocked; then
  // that is given up, and what is left is lost.
  void Stop(std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::now() +
                                                             std::chrono::seconds(1));

  // The name of a user, as records have it; "" if it is not known, or not yet. Never waits. Any
  // thread.
  std::string UserName(uid_t uid) const;

  uint64_t lost() const;  // lines, ever
  bool failing() const;   // the target's last Write() failed, or it could not be opened again
  void Reopen();          // any thread

 private:
  class Writer;
  std::atomic<AuditCalls> calls_;
  UserNames* const names_;
  std::unique_ptr<Writer> writer_;  // null after Stop()
};

}  // namespace proxyd
