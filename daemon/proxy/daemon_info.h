// SPDX-License-Identifier: Apache-2.0
//
// DaemonInfo: the state of the daemon that is not about a peer. The metrics, the status page and
// the admin service read everything they show from here. It is used on the loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "observe/reports.h"
#include "policy/snapshot.h"
#include "proxy/proxy.h"

namespace proxyd {

struct DaemonInfo {
  // Both must outlive this.
  Proxy& proxy;
  Reports& reports;

  std::chrono::system_clock::time_point started;
  std::chrono::system_clock::time_point loaded;  // when the present configuration was loaded
  std::string digest;                            // its digest; see DigestOf()
  uint64_t reloads = 0;
  uint64_t reloads_refused = 0;
  bool last_reload_successful = true;  // the start counts as a reload
  bool draining = false;
  std::chrono::system_clock::time_point drain_began{};  // valid while draining
  bool sandboxed = false;

  const Config& config() const { return proxy.config(); }
};

// Returns the SHA-256 of the effective configuration as it is printed, in hexadecimal.
// Configurations with the same meaning have the same digest.
std::string DigestOf(const Config& config);

// Returns the size of a configuration: `N listeners, N rules, N backends`.
std::string SummaryOf(const Config& config);

}  // namespace proxyd
