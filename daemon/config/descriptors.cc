// SPDX-License-Identifier: Apache-2.0
//
// CheckDescriptors and DescriptorsForBackends: compare the descriptors that a configuration needs
// with the limit. Pure; any thread.
#include <algorithm>
#include <string>
#include <variant>

#include "config/load.h"
#include "config/readers.h"

namespace proxyd {
namespace {

// The reserve is for logs, event loops, signals and files that are open only briefly. A listener
// needs its socket, its lock file and their directory. A listener with a socket for each workload
// needs one for each; this many containers and sandboxes are more than a node usually has.
constexpr uint64_t kReserve = 64;
constexpr uint64_t kForListener = 3;
constexpr uint64_t kForWorkloads = 2000;
// These include the most connections that the two servers accept.
constexpr uint64_t kForAdmin = kForListener + 64;
constexpr uint64_t kForMetrics = kForListener + 16;

uint64_t ForTheDaemonItself(const Config& config) {
  const auto many = std::count_if(config.listeners.begin(), config.listeners.end(),
                                  [](const ListenerConfig& listener) {
                                    return std::holds_alternative<SocketTemplate>(listener.address);
                                  });
  return kReserve + kForListener * config.listeners.size() +
         kForWorkloads * static_cast<uint64_t>(many) + (config.admin ? kForAdmin : 0) +
         (config.metrics ? kForMetrics : 0);
}

}  // namespace

uint64_t DescriptorsForBackends(const Config& config, uint64_t limit) {
  const uint64_t own = ForTheDaemonItself(config);
  // If the limit is very low, the daemon itself gets at most half of it.
  const uint64_t shared = std::max(limit - std::min(limit, own), limit / 2);
  const uint64_t left = shared - std::min<uint64_t>(shared, config.limits.connections);
  // Backends get at least half of the rest. CheckDescriptors() warns if clients may need more than
  // the other half.
  return std::max(left, shared / 2);
}

std::vector<ConfigError> CheckDescriptors(const Config& config, uint64_t limit,
                                          DescriptorLimit whose) {
  const LimitsConfig& limits = config.limits;
  const bool known = whose == DescriptorLimit::kOfTheDaemon;
  const std::string advice = "; lower it, or raise LimitNOFILE= (ulimit -n)";
  const auto warning = [&config](const std::string& message) {
    return std::vector<ConfigError>{ConfigWarning({.file = config.file}, message)};
  };
  const uint64_t needed = ForTheDaemonItself(config) + uint64_t{2} * limits.connections;
  if (needed > limit) {
    const std::string bound = known ? "the daemon may open only " + std::to_string(limit)
                                    : "this process may open only " + std::to_string(limit) +
                                          " (the limit of the daemon is unknown)";
    return warning("connections = " + std::to_string(limits.connections) + " in [limits] needs " +
                   std::to_string(needed) +
                   " file descriptors with as many connections to backends, but " + bound + advice);
  }
  // The default is not worth a warning: it allows no more than the descriptors that are left.
  const uint64_t unless_given = uint64_t{kBackendConnectionsForEach} * limits.connections_per_user;
  if (limits.backend_connections_per_user == unless_given) return {};
  const uint64_t left = DescriptorsForBackends(config, limit);
  const uint64_t others = left - std::min<uint64_t>(left / 2, limits.connections_reserved);
  if (limits.backend_connections_per_user <= others) return {};
  const std::string whose_limit = known
                                      ? "the limit of the daemon"
                                      : "the limit of this process (that of the daemon is unknown)";
  return warning(
      "backend_connections_per_user = " + std::to_string(limits.backend_connections_per_user) +
      " in [limits] is more than the " + std::to_string(others) + " file descriptors that " +
      whose_limit + " leaves to users other than root" + advice);
}

}  // namespace proxyd
