// SPDX-License-Identifier: Apache-2.0
//
// Backend: one configured backend as a worker sees it: its addresses, which of them may be tried
// now, and who may listen there. A backend that is `discovered` has no address; each workload has a
// backend of its own for it, with the workload's address and all else of the configured one. An
// address whose failure is expensive (it does not accept, or another user listens there) is tried
// at most every 50 ms, doubling to 1 s. A Unix socket that is missing is cheap, so every call tries
// it. Running out of descriptors here does not delay attempts either. It runs on the worker's
// thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "config/config.h"
#include "observe/audit_record.h"
#include "observe/labeled_counters.h"
#include "proxy/ref.h"
#include "ttrpc/address.h"
#include "ttrpc/status.h"

namespace proxyd {

// The address of a workload.
struct DiscoveredAddress {
  ttrpc::Address address;
  // Whether one socket serves all workloads of its listener. The loss of a connection then fails
  // only the calls on it, and a peer has a limited number of them.
  bool at_shared_socket = false;
};

class Backend : public RefCounted {
 public:
  using Clock = std::chrono::steady_clock;

  // `counters` must outlive the backend.
  Backend(BackendConfig config, BackendCounters& counters);

  // Makes the backend of a workload for `configured`, which is `discovered`. They share counters.
  Backend(Ref<Backend> configured, DiscoveredAddress where);

  // All of it but the addresses, of which a workload has its own.
  const BackendConfig& config() const { return configured_ ? configured_->config_ : config_; }
  const std::vector<ttrpc::Address>& addresses() const {
    return configured_ ? own_addresses_ : config_.addresses;
  }
  // Returns the backend of the configuration: this one, unless this is a workload's.
  const Backend& configured() const { return configured_ ? *configured_ : *this; }
  bool at_shared_socket() const { return at_shared_socket_; }
  // Whether the peers stay when a connection is lost, and only the calls on it fail.
  bool fails_calls() const {
    return at_shared_socket_ || config().on_disconnect == BackendConfig::OnDisconnect::kFailCalls;
  }
  BackendCounters& counters() const { return counters_; }
  // Returns whether a backend with this configuration is the same one, so that connections may
  // stay.
  bool LeadsWhere(const BackendConfig& other) const;
  // `config` must describe the same backend, according to LeadsWhere().
  void SetConfig(const BackendConfig& config) { config_ = config; }
  // Called when a reload has replaced or removed this backend, or the workload has another address
  // or is gone. Its last attempts then no longer change the state in `counters`, which a new
  // backend of the same name may share.
  void Retire() { retired_ = true; }
  bool retired() const { return retired_ || (configured_ && configured_->retired_); }

  // Returns the address (an index into addresses()) that a new connection tries first. The
  // others follow in order, the first one after the last.
  size_t NextAddress();
  // A true result also marks the address as being tried: while it fails, others must wait.
  bool MayTry(size_t address, Clock::time_point now);
  // Returns OK if the user that called listen(2) on this socket is one of `users`, and the process
  // is not this one. Otherwise returns UNAUTHENTICATED, which no failure to connect returns.
  ttrpc::Status CheckOwner(int socket) const;

  struct Attempt {
    size_t address;
    Clock::time_point begun;
  };
  // Records the end of an attempt; `why` is one of Connector's errors. A failure is logged if it
  // differs from the one that was logged last for the address, at most once a second.
  void Failed(const Attempt& attempt, const ttrpc::Status& why, Clock::time_point now);
  void Succeeded(size_t address);

  // These return why the backend cannot be reached: the last failure, and its address. detail() is
  // empty if that address was reached since.
  AuditReason reason() const;
  std::string detail() const;

  // Returns whether an address was missing or refused when it was last tried. This may change,
  // since the service may still be starting.
  bool MayAppear() const;

 private:
  void NoteLastAttempt(const ttrpc::Status& how);

  struct AddressState {
    Clock::time_point next_attempt{};
    Clock::time_point failed{};  // when a failure last lengthened the back-off
    Clock::duration back_off{};
    ttrpc::Status last_failure;  // OK: the last attempt succeeded, or there was none
    ttrpc::Status logged;        // the failure in the log; OK: none, or its end was logged too
    Clock::time_point log_again{};
  };

  const Ref<Backend> configured_;  // set for the backend of a workload
  BackendConfig config_;           // empty then
  const std::vector<ttrpc::Address> own_addresses_;
  const bool at_shared_socket_ = false;
  BackendCounters& counters_;
  std::vector<AddressState> states_;  // by address
  size_t next_ = 0;
  size_t last_failed_ = 0;  // index of an address
  bool retired_ = false;
};

}  // namespace proxyd
