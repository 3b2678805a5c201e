// SPDX-License-Identifier: Apache-2.0
//
// Limit: the limits that a client can reach, their names, and the status that names one. The
// functions are pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "config/config.h"
#include "ttrpc/status.h"

namespace proxyd {

enum class Limit {
  kConnections,
  kConnectionsPerUser,
  kCallsPerConnection,
  kCallsPerUser,
  kRequestsPerSecondPerUser,
  kBufferedPerUser,
  kBuffered,
  kBackendConnectionsPerUser,
  kBackendConnections,  // has no key: the descriptors determine it
  kBackendsPerPeer,
};
inline constexpr size_t kLimits = 10;

// Returns the limit's key in [limits]. The text is static.
std::string_view NameOf(Limit limit);

// Returns RESOURCE_EXHAUSTED `limit calls_per_user = 4096 reached`.
ttrpc::Status LimitReached(Limit limit, const LimitsConfig& limits);

// The limits of connections to backends.
struct BackendLimits {
  uint32_t per_user = UINT32_MAX;
  uint32_t in_all = UINT32_MAX;
  uint32_t reserved = 0;  // the part of in_all that is kept for root; always less
};
// `descriptors` is the value of RLIMIT_NOFILE.
BackendLimits BackendLimitsOf(const Config& config, uint64_t descriptors);
// Returns the value of the limit; none if there is no limit.
std::optional<uint64_t> ValueOf(Limit limit, const LimitsConfig& limits,
                                const BackendLimits& backends);
// Does the same as LimitReached() for the two limits in BackendLimits.
ttrpc::Status BackendLimitReached(Limit limit, const BackendLimits& limits);

}  // namespace proxyd
