// SPDX-License-Identifier: Apache-2.0
//
// Checks and changes that apply to every request, whatever the rules say. They are pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/config.h"
#include "ttrpc/status.h"
#include "ttrpc/wire/request.h"

namespace proxyd {

// Returns INVALID_ARGUMENT unless the service consists of [A-Za-z0-9_.] and the method of
// [A-Za-z0-9_], each with 1 to 256 bytes.
ttrpc::Status CheckNames(const ttrpc::RequestView& request);

// Drops metadata that only the proxy may set: keys with the prefix `ttrpc-proxy-`, in any case.
void DropReservedMetadata(ttrpc::RequestView* request);

// IdentityMetadata: the metadata that identifies a peer to a backend with forward_identity.
class IdentityMetadata {
 public:
  IdentityMetadata(uid_t uid, gid_t gid, pid_t pid)
      : uid_(std::to_string(uid)), gid_(std::to_string(gid)), pid_(std::to_string(pid)) {}
  // Appends entries that point into this object.
  void AppendTo(ttrpc::RequestView* request) const;

 private:
  std::string uid_, gid_, pid_;
};

// Returns a call's timeout in ns: the requested one, or the configured default, cut to the lowest
// maximum. 0 means none; a negative value means that it has passed already.
int64_t EffectiveTimeout(int64_t requested, const TimeoutsConfig& timeouts,
                         std::optional<Duration> rule_call_max);

// Returns the timeout in ns after which the proxy itself ends the call; `effective` is its
// EffectiveTimeout(). A client's own deadline gets 20 ms of grace, so that the client notices
// first: Go's and Rust's clients distinguish their own expiry from a status.
int64_t EnforcedTimeout(int64_t requested, int64_t effective);

}  // namespace proxyd
