// SPDX-License-Identifier: Apache-2.0
//
// Bundle: the directory in which containerd keeps what belongs to one task. It reads the address of
// the task's shim, its sandbox and its annotations. Files may be missing, half-written or hostile,
// so every error becomes a sentence for people. On the follower's thread.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "discovery/workload.h"

namespace proxyd {

inline constexpr size_t kMostBundleFile = size_t{64} << 10;  // bootstrap.json, address, sandbox
inline constexpr size_t kMostConfigJson = size_t{1} << 20;

// Returns whether a change of the file may change what is read here.
bool IsBundleFile(std::string_view name);

// Reads what the files of a bundle say about a task into `workload`, which has nothing but its key.
// It stays so while its shim has not written an address. config.json is read after the address,
// since it is complete by then; `wanted` are the annotations that rules name. Returns whether a
// resource ran out, so that reading again may find more.
bool ReadBundle(int directory, const std::set<std::string>& wanted, Workload* workload);

}  // namespace proxyd
