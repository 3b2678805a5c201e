// SPDX-License-Identifier: Apache-2.0
//
// DaemonInfo: what the daemon knows of itself beside its peers, and where everything that can be
// asked about it stands: the metrics, the status page and the admin service read from here. On the
// loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "observe/reports.h"
#include "policy/snapshot.h"
#include "proxy/proxy.h"

namespace proxyd {

struct DaemonInfo {
  // Both outlive it.
  Proxy& proxy;
  Reports& reports;

  std::chrono::system_clock::time_point started;
  std::chrono::system_clock::time_point loaded;  // the configuration that counts
  std::string digest;                            // of that configuration; see DigestOf()
  uint64_t reloads = 0;
  uint64_t reloads_refused = 0;
  bool last_reload_successful = true;  // the start counts as one
  bool draining = false;
  std::chrono::system_clock::time_point drain_began{};  // while it drains
  bool sandboxed = false;

  const Config& config() const { return proxy.config(); }
};

// SHA-256 of the effective configuration as it is printed, in hexadecimal: the same for
// configurations that mean the same.
std::string DigestOf(const Config& config);

// How much there is of it: `N listeners, N rules, N backends`.
std::string SummaryOf(const Config& config);

}  // namespace proxyd
