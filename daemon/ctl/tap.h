// SPDX-License-Identifier: Apache-2.0
//
// `ttrpc-proxyctl tap`: events of the daemon, from the command line's filters to what is printed.
#pragma once

#include "ctl/options.h"

namespace proxyd::ctl {

// Gives the exit status.
int RunTap(const Options& options);

}  // namespace proxyd::ctl
