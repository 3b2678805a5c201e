// SPDX-License-Identifier: Apache-2.0
//
// Backend: one configured backend as a worker sees it: its addresses, which of them is worth trying
// now, and who may listen there. An address that fails in a way that costs something (it does not
// accept, it is somebody else's) is tried at most every 50 ms, doubling to 1 s. A Unix socket that
// is not there is cheap, and tried by each call, as is any while descriptors are used up here. On
// the worker's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "config/config.h"
#include "observe/audit_record.h"
#include "observe/labeled_counters.h"
#include "proxy/ref.h"
#include "ttrpc/status.h"

namespace proxyd {

class Backend : public RefCounted {
 public:
  using Clock = std::chrono::steady_clock;

  // `counters` must outlive it.
  Backend(BackendConfig config, BackendCounters& counters);

  const BackendConfig& config() const { return config_; }
  BackendCounters& counters() const { return counters_; }
  // Whether a backend that is configured like this is this one: connections to it may stay.
  bool LeadsWhere(const BackendConfig& other) const;
  // Of such a one.
  void SetConfig(const BackendConfig& config) { config_ = config; }
  // A reload has replaced or removed it: whether another one of its name is up is not its business,
  // however its own last attempts end.
  void Retire() { retired_ = true; }

  // The address (an index into config().addresses) with which a new connection begins; the others
  // follow in their order, the first after the last.
  size_t NextAddress();
  // Says, too, that it is being tried: while it fails, others wait for their turn meanwhile.
  bool MayTry(size_t address, Clock::time_point now);
  // OK if whoever called listen(2) on this socket is one of `users`, and not this very process;
  // else UNAUTHENTICATED, which no failure to connect is.
  ttrpc::Status CheckOwner(int socket) const;

  struct Attempt {
    size_t address;
    Clock::time_point begun;
  };
  // How an attempt ended, with one of Connector's errors. A failure is logged when it differs from
  // what the log has of the address, at most once a second.
  void Failed(const Attempt& attempt, const ttrpc::Status& why, Clock::time_point now);
  void Succeeded(size_t address);

  // Why it cannot be reached: how the last attempt that failed did, and at which address. Empty if
  // that address was reached since.
  AuditReason reason() const;
  std::string detail() const;

  // Whether some address, when it was last tried, was missing or refused, which may pass: whatever
  // is to listen there is still starting.
  bool MayAppear() const;

 private:
  void NoteLastAttempt(const ttrpc::Status& how);

  struct AddressState {
    Clock::time_point next_attempt{};
    Clock::time_point failed{};  // when a failure last counted
    Clock::duration back_off{};
    ttrpc::Status last_failure;  // OK: the last attempt succeeded, or there was none
    ttrpc::Status logged;        // the failure that the log has; OK: none, or that it passed
    Clock::time_point log_again{};
  };

  BackendConfig config_;
  BackendCounters& counters_;
  std::vector<AddressState> states_;  // by address
  size_t next_ = 0;
  size_t last_failed_ = 0;  // an address
  bool retired_ = false;
};

}  // namespace proxyd
