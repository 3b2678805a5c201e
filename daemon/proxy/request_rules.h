// SPDX-License-Identifier: Apache-2.0
//
// What is asked of every request whatever the rules say, and what is changed in it before it is
// forwarded. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/config.h"
#include "ttrpc/status.h"
#include "ttrpc/wire/request.h"

namespace proxyd {

// INVALID_ARGUMENT unless the service is of [A-Za-z0-9_.], the method of [A-Za-z0-9_], and each of
// 1 to 256 bytes.
ttrpc::Status CheckNames(const ttrpc::RequestView& request);

// Drops the keys that only the proxy may set: those with the prefix `ttrpc-proxy-`, in any case.
void DropReservedMetadata(ttrpc::RequestView* request);

// The metadata that names a peer to a backend with forward_identity.
class IdentityMetadata {
 public:
  IdentityMetadata(uid_t uid, gid_t gid, pid_t pid)
      : uid_(std::to_string(uid)), gid_(std::to_string(gid)), pid_(std::to_string(pid)) {}
  // The entries point into this.
  void AppendTo(ttrpc::RequestView* request) const;

 private:
  std::string uid_, gid_, pid_;
};

// The timeout that a call gets, in ns: its own, or what is configured for calls without one, but no
// more than any limit. 0: none; negative: it is over.
int64_t EffectiveTimeout(int64_t requested, const TimeoutsConfig& timeouts,
                         std::optional<Duration> rule_call_max);

// When the deadline of a call is enforced, in ns from when it came; `effective`: its
// EffectiveTimeout(). A client's own deadline gets 20 ms of grace, so that the client's clock has
// the first word: Go's and Rust's clients distinguish their own expiry from a status.
int64_t EnforcedTimeout(int64_t requested, int64_t effective);

}  // namespace proxyd
