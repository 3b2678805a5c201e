// SPDX-License-Identifier: Apache-2.0
//
// Bundle JSON: the few values of bootstrap.json and config.json that discovery needs. The parser
// keeps nothing else of a document, and refuses one that is nested too deeply. A repeated key is
// refused, since two programs could read different values. Pure functions; any thread.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "discovery/workload.h"
#include "ttrpc/status.h"

namespace proxyd {

// Both return INVALID_ARGUMENT, with a sentence that says what is wrong.

// Returns the `address`, if `version` is at most 3 and `protocol` is ttrpc. Keys may have another
// case, as for Go's parser.
ttrpc::Result<std::string> ParseBootstrap(std::string_view document);

// Returns the `annotations` whose keys are in `wanted`.
ttrpc::Result<Annotations> ParseAnnotations(std::string_view document,
                                            const std::set<std::string>& wanted);

}  // namespace proxyd
