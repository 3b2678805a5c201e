// SPDX-License-Identifier: Apache-2.0
//
// Explain: says what the policy decides about a call, and why. It asks the policy itself, so the
// answer is always what would happen; only the wording is made here. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/rpc_names.h"
#include "policy/snapshot.h"
#include "ttrpc/metadata.h"

namespace proxyd {

// A question about one call. Everything that it refers to is borrowed for the call of Explain().
struct ExplainQuery {
  size_t listener = 0;  // index in Config::listeners
  Identity identity;
  MethodName method;
  std::span<const ttrpc::MetadataEntry> metadata;
  const WorkloadView* workload = nullptr;  // null: the call is about none
  std::string_view user = {};              // the name of the caller's user, for `{user}`
};

struct Explanation {
  bool admitted = false;  // if false, the connection is closed before anything is read
  bool allowed = false;   // implies `admitted`
  // These are as in a Verdict. For a peer that is not admitted, they are what they would be if it
  // were.
  std::optional<size_t> rule;
  std::vector<size_t> shadows;
  std::string reason;  // one sentence
  // If the call is not allowed, this has a sentence for each enforced allow rule that almost allows
  // it, in the order of the rules. Such a rule fails to match in only one respect (listener, user
  // or group, method, workload, metadata), or it matches and comes too late.
  std::vector<std::string> notes;
};

Explanation Explain(const Snapshot& snapshot, const ExplainQuery& query);

}  // namespace proxyd
