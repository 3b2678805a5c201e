// SPDX-License-Identifier: Apache-2.0
//
// `ttrpc call`: one call, from what -d says to what is printed.
#pragma once

#include "options.h"
#include "schema.h"

namespace ttrpc::tool {

// `schema` is null with --raw. Gives the exit status.
int RunCall(const Options& options, const Schema* schema);

}  // namespace ttrpc::tool
