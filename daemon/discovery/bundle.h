// SPDX-License-Identifier: Apache-2.0
//
// Bundle: the directory in which containerd keeps what belongs to one task. It reads the address of
// the task's shim, its sandbox and its annotations. Files may be missing, half-written or hostile,
// so every error becomes a sentence for people. On the follower's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "discovery/workload.h"
#include "ttrpc/address.h"

namespace proxyd {

inline constexpr size_t kMostBundleFile = size_t{64} << 10;  // bootstrap.json, address, sandbox
inline constexpr size_t kMostConfigJson = size_t{1} << 20;

// Returns whether a change of the file may change what is read here.
bool IsBundleFile(std::string_view name);

// The annotations of config.json that the caller asked for.
struct BundleAnnotations {
  std::shared_ptr<const Annotations> wanted;  // null: none
  std::string group;    // the id of the sandbox whose old shim serves the task, or ""
  std::string problem;  // why there are none, if config.json cannot be used
  bool again = false;   // a resource ran out, so that reading may succeed later
};

// Reads config.json. `wanted` are the keys that rules name.
BundleAnnotations ReadBundleAnnotations(int directory, const std::set<std::string>& wanted);

struct BundleAddress {
  std::optional<ttrpc::Address> address;
  // The reason why there is no address. Empty: the shim has not written one yet.
  std::string why;
  std::string sandbox;  // the same as Workload::sandbox
  bool again = false;   // a resource ran out, so that reading may succeed later
};

// Reads bootstrap.json, else address, and sandbox. `group` is that of the annotations, and counts
// only for shims that write no bootstrap.json.
BundleAddress ReadBundleAddress(int directory, const std::string& id, const std::string& group);

}  // namespace proxyd
