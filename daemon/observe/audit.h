// SPDX-License-Identifier: Apache-2.0
//
// Audit: writes a record of each decision to the log, a file or the journal. The workers' threads
// call it and never wait. Records pass through a bounded queue, of which each user has a share, to
// a thread that writes them. Records that do not fit are counted.
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

// AuditTarget: writes records to the log or to a file. The audit's own thread calls it, and may
// wait.
class AuditTarget {
 public:
  virtual ~AuditTarget() = default;
  // Writes packed records (see PackAuditRecord). Returns false if that failed, which was logged
  // once; records beyond kept() may be offered again.
  virtual bool Write(std::string_view records) = 0;
  // After a failed Write(), the number of bytes of its records, from the front, that were written.
  virtual size_t kept() const { return 0; }
  // Called for SIGUSR1. If it fails, each Write() fails until the file can be opened. A Write()
  // tries that at most once a second.
  virtual void Reopen() {}
  // Returns false while a failed Reopen() has not been made good. Waits and tries again as Write()
  // does.
  virtual bool IsOpen() { return true; }
  // Makes a waiting Write() return soon and each later one return false at once. Any thread may
  // call it at any time.
  virtual void GiveUp() {}
};

// The audit's clock, which tests replace. Any thread may call it.
class AuditClock {
 public:
  using Steady = std::chrono::steady_clock::time_point;
  virtual ~AuditClock() = default;
  virtual std::chrono::system_clock::time_point Now() = 0;  // for `time`
  virtual Steady SteadyNow() = 0;                           // for the rates
  // Waits for `wake` as a condition variable does, until `until` if that is given.
  virtual void Wait(std::condition_variable& wake, std::unique_lock<std::mutex>& lock,
                    std::optional<Steady> until) = 0;
};

AuditClock& SystemAuditClock();  // lives as long as the process

class Audit {
 public:
  // `clock` and `names` must outlive the audit. Without `names`, records have no `user`.
  Audit(const AuditConfig& config, std::unique_ptr<AuditTarget> target,
        AuditClock& clock = SystemAuditClock(), UserNames* names = nullptr);
  ~Audit();  // calls Stop()
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  // Returns whether to write an event of this kind, decided by a rule with this override, if any.
  // Ask before building a record.
  bool Wants(AuditEvent event, std::optional<bool> enforced,
             std::optional<AuditCalls> rule_override) const;

  // Reserves room for a call's line of at most `bytes` (0: none is wanted) before the call is
  // forwarded. Returns false if the call must be refused: on_error is "refuse-calls", and there is
  // no room or the target fails. Any thread may call it; it takes no lock.
  bool Reserve(uid_t uid, size_t bytes, AuditReservation* reservation);

  // Queues the record, in the room of `reservation` if it holds any. Each uid is limited to
  // rate_per_user refusals, denials and shadow decisions a second, and to bytes_per_user (0: no
  // limit) for all lines but those of calls that were carried out. One line reports the rest within
  // a second, with the uid, the last event and `suppressed`. Any thread may call it.
  void Record(const AuditRecord& record, AuditReservation reservation = {});

  // Returns true if on_error is "refuse-calls" and the target fails: each new call must be refused.
  // Meanwhile lines are kept and offered again each second. Calls are accepted again once they are
  // written. Any thread may call it.
  bool refusing_calls() const;

  // Applies `config`. Queued records are written to `target` if one is given, else to the present
  // one. A blocked target is given up, and what it did not take is offered to the next. Any thread
  // may call it; it never waits.
  void Reconfigure(const AuditConfig& config, std::unique_ptr<AuditTarget> target);

  // Stops the audit; no other call may follow. Writes what is queued, but gives up a blocked target
  // at `deadline`; the rest is then lost.
  void Stop(std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::now() +
                                                             std::chrono::seconds(1));

  // Returns the name of a user as records have it, or "" if it is not known (yet). Any thread may
  // call it; it never waits.
  std::string UserName(uid_t uid) const;
  // Returns the names that the audit was made with, or null.
  UserNames* names() const { return names_; }

  uint64_t lost() const;  // all lines that were lost since the start
  bool failing() const;   // the target's last Write() failed, or it could not be reopened
  void Reopen();          // may be called on any thread

 private:
  class Writer;
  std::atomic<AuditCalls> calls_;
  UserNames* const names_;
  std::unique_ptr<Writer> writer_;  // null after Stop()
};

}  // namespace proxyd
