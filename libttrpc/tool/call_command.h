// SPDX-License-Identifier: Apache-2.0
//
// `ttrpc call`: makes one call with the input of -d and prints the replies.
#pragma once

#include "options.h"
#include "schema.h"

namespace ttrpc::tool {

// `schema` is null with --raw. Returns the exit status.
int RunCall(const Options& options, const Schema* schema);

}  // namespace ttrpc::tool
