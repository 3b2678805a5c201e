// SPDX-License-Identifier: Apache-2.0
#include "limits/limit.h"

#include <algorithm>
#include <string>

#include "config/load.h"
#include "config/quantity.h"

namespace proxyd {

namespace {

bool IsSize(Limit limit) { return limit == Limit::kBufferedPerUser || limit == Limit::kBuffered; }

ttrpc::Status Reached(Limit limit, const std::string& value) {
  return {ttrpc::StatusCode::kResourceExhausted,
          "limit " + std::string(NameOf(limit)) + " = " + value + " reached"};
}

}  // namespace

std::string_view NameOf(Limit limit) {
  switch (limit) {
    case Limit::kConnections:
      return "connections";
    case Limit::kConnectionsPerUser:
      return "connections_per_user";
    case Limit::kCallsPerConnection:
      return "calls_per_connection";
    case Limit::kCallsPerUser:
      return "calls_per_user";
    case Limit::kRequestsPerSecondPerUser:
      return "requests_per_second_per_user";
    case Limit::kBufferedPerUser:
      return "buffered_per_user";
    case Limit::kBuffered:
      return "buffered";
    case Limit::kBackendConnectionsPerUser:
      return "backend_connections_per_user";
    case Limit::kBackendConnections:
      return "backend_connections";
    case Limit::kBackendsPerPeer:
      return "backends_per_peer";
  }
  return {};
}

std::optional<uint64_t> ValueOf(Limit limit, const LimitsConfig& limits,
                                const BackendLimits& backends) {
  switch (limit) {
    case Limit::kConnections:
      return limits.connections;
    case Limit::kConnectionsPerUser:
      return limits.connections_per_user;
    case Limit::kCallsPerConnection:
      return limits.calls_per_connection;
    case Limit::kCallsPerUser:
      return limits.calls_per_user;
    case Limit::kRequestsPerSecondPerUser:
      if (limits.requests_per_second_per_user == 0) return std::nullopt;
      return limits.requests_per_second_per_user;
    case Limit::kBufferedPerUser:
      return limits.buffered_per_user;
    case Limit::kBuffered:
      return limits.buffered;
    case Limit::kBackendConnectionsPerUser:
      return backends.per_user;
    case Limit::kBackendConnections:
      return backends.in_all;
    case Limit::kBackendsPerPeer:
      return limits.backends_per_peer;
  }
  return std::nullopt;
}

ttrpc::Status LimitReached(Limit limit, const LimitsConfig& limits) {
  const uint64_t value = ValueOf(limit, limits, {}).value_or(0);
  return Reached(limit, IsSize(limit) ? FormatSize(value) : std::to_string(value));
}

BackendLimits BackendLimitsOf(const Config& config, uint64_t descriptors) {
  const auto in_all = static_cast<uint32_t>(
      std::min<uint64_t>(DescriptorsForBackends(config, descriptors), UINT32_MAX));
  return {.per_user = config.limits.backend_connections_per_user,
          .in_all = in_all,
          .reserved = std::min(config.limits.connections_reserved, in_all / 2)};
}

ttrpc::Status BackendLimitReached(Limit limit, const BackendLimits& limits) {
  const bool of_user = limit == Limit::kBackendConnectionsPerUser;
  return Reached(limit, std::to_string(of_user ? limits.per_user : limits.in_all));
}

}  // namespace proxyd
