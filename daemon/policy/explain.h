// SPDX-License-Identifier: Apache-2.0
//
// Explain: what the policy decides of a call, and why, in words. It asks the policy itself, so it
// cannot say anything else than what happens; only the words are its own. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/rpc_names.h"
#include "policy/snapshot.h"
#include "ttrpc/metadata.h"

namespace proxyd {

// What it refers to is borrowed for the call.
struct ExplainQuery {
  size_t listener = 0;  // index into Config::listeners
  Identity identity;
  MethodName method;
  std::span<const ttrpc::MetadataEntry> metadata;
};

struct Explanation {
  bool admitted = false;  // else the connection is closed before a byte is read
  bool allowed = false;   // never without being admitted
  // As in a Verdict. Of a peer that is not admitted: what would decide if it were.
  std::optional<size_t> rule;
  std::vector<size_t> shadows;
  std::string reason;  // one sentence
  // Unless it is allowed, in the order of the rules: each enforced allow rule that lacks one thing
  // only (the listener, who, the method, the metadata), and what; or that lacks nothing but comes
  // too late.
  std::vector<std::string> notes;
};

Explanation Explain(const Snapshot& snapshot, const ExplainQuery& query);

}  // namespace proxyd
