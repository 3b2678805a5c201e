// SPDX-License-Identifier: Apache-2.0
//
// Backend: one configured backend as a worker sees it: where it is, who may listen there, and
// whether it is worth trying now. A backend that fails in a way that costs something (it does not
// accept, it is somebody else's) is tried at most every 50 ms, doubling to 1 s; one that is not
// there is cheap, and tried by each call. On the worker's thread.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "config/config.h"
#include "proxy/ref.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

class Backend : public RefCounted {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Backend(BackendConfig config) : config_(std::move(config)) {}

  const BackendConfig& config() const { return config_; }
  // Whether a backend that is configured like this is this one: connections to it may stay.
  bool LeadsWhere(const BackendConfig& other) const;
  // Of such a one.
  void SetConfig(const BackendConfig& config) { config_ = config; }

  bool MayTry(Clock::time_point now) const { return now >= next_attempt_; }
  // OK if whoever called listen(2) on this socket is one of `users`, and not this very process.
  ttrpc::Status CheckOwner(int socket) const;

  // The outcome of an attempt. A failure is logged when it differs from the one before.
  enum class Failure { kCheap, kCostly };
  void Failed(Failure kind, const std::string& why, Clock::time_point now);
  void Succeeded();

 private:
  BackendConfig config_;
  Clock::time_point next_attempt_{};
  Clock::duration back_off_{};
  std::string last_failure_;  // empty: the last attempt succeeded, or there was none
};

}  // namespace proxyd
