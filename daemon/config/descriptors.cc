// SPDX-License-Identifier: Apache-2.0
//
// CheckDescriptors and DescriptorsForBackends: how many descriptors a configuration takes, held
// against how many there are. Pure; any thread.
#include <algorithm>
#include <string>

#include "config/load.h"
#include "config/readers.h"

namespace proxyd {
namespace {

// Logs, loop, signals, files that are opened for a moment; a listener is its socket, its lock and
// their folder.
constexpr uint64_t kReserve = 64;
constexpr uint64_t kForListener = 3;
// As many connections as their servers take.
constexpr uint64_t kForAdmin = kForListener + 64;
constexpr uint64_t kForMetrics = kForListener + 16;

uint64_t ForTheDaemonItself(const Config& config) {
  return kReserve + kForListener * config.listeners.size() + (config.admin ? kForAdmin : 0) +
         (config.metrics ? kForMetrics : 0);
}

}  // namespace

uint64_t DescriptorsForBackends(const Config& config, uint64_t limit) {
  const uint64_t own = ForTheDaemonItself(config);
  // Where there are very few, the daemon itself takes less than it might.
  const uint64_t shared = std::max(limit - std::min(limit, own), limit / 2);
  const uint64_t left = shared - std::min<uint64_t>(shared, config.limits.connections);
  // Clients for which there is not as much again, of which CheckDescriptors() warns, leave half.
  return std::max(left, shared / 2);
}

std::vector<ConfigError> CheckDescriptors(const Config& config, uint64_t limit,
                                          DescriptorLimit whose) {
  const LimitsConfig& limits = config.limits;
  const std::string system = " (ulimit -n, LimitNOFILE=)";
  const bool known = whose == DescriptorLimit::kOfTheDaemon;
  const std::string unknown = "; how many the daemon may have is not known here, this process ";
  const uint64_t needed = ForTheDaemonItself(config) + uint64_t{2} * limits.connections;
  if (needed > limit) {
    const std::string bound =
        known ? ", expected at most the " + std::to_string(limit) + " that the system allows"
              : unknown + "may have " + std::to_string(limit);
    return {{{.file = config.file},
             "[limits] connections is " + std::to_string(limits.connections) +
                 ", which with as many connections to backends takes " + std::to_string(needed) +
                 " descriptors" + bound + system}};
  }
  // The default of a machine with few descriptors means no more than what they leave.
  const uint64_t unless_given = uint64_t{kBackendConnectionsForEach} * limits.connections_per_user;
  if (limits.backend_connections_per_user == unless_given) return {};
  const uint64_t left = DescriptorsForBackends(config, limit);
  const uint64_t others = left - std::min<uint64_t>(left / 2, limits.connections_reserved);
  if (limits.backend_connections_per_user <= others) return {};
  const std::string bound = known ? ", expected at most the " + std::to_string(others) +
                                        " descriptors that the system leaves"
                                  : unknown + "would leave " + std::to_string(others);
  return {{{.file = config.file},
           "[limits] backend_connections_per_user is " +
               std::to_string(limits.backend_connections_per_user) + bound +
               " to users other than root" + system}};
}

}  // namespace proxyd
