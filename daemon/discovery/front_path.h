// SPDX-License-Identifier: Apache-2.0
//
// FrontPath: the paths of the sockets of a listener's workloads, by its template. The base is the
// directory that has the first part with a placeholder; one daemon owns all that is below it. Pure;
// any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "discovery/workload.h"
#include "ttrpc/status.h"

namespace proxyd {

class FrontPath {
 public:
  // The lock file in a base.
  static constexpr std::string_view kLockFile = ".lock";
  static constexpr size_t kMostBytes = 107;  // the room in sockaddr_un

  explicit FrontPath(const SocketTemplate& front);

  const std::string& base() const { return base_; }
  // Returns the number of names below the base. The last one is the socket's.
  size_t depth() const { return parts_.size(); }

  // Returns the names below the base for a workload whose name has no problem. INVALID_ARGUMENT,
  // with a sentence, if they do not make a path.
  ttrpc::Result<std::vector<std::string>> NamesFor(const WorkloadKey& key) const;

  // Returns the names below the base in the path of a socket, or none if it cannot be a socket of
  // this template.
  std::vector<std::string> NamesBelowBase(const std::string& path) const;

  // Whether a name at this place, from 0 on, may be that of a workload.
  bool MayBeOurs(size_t part, std::string_view name) const;

 private:
  SocketTemplate front_;
  std::string base_;
  std::vector<std::string> parts_;  // they contain the placeholders
};

// Returns `base` and the names, joined by slashes.
std::string JoinedPath(const std::string& base, const std::vector<std::string>& names);

}  // namespace proxyd
