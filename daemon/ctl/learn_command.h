// SPDX-License-Identifier: Apache-2.0
//
// `ttrpc-proxyctl learn`: from an audit file, or a tap of the daemon, to the rules that are
// printed.
#pragma once

#include "ctl/options.h"

namespace proxyd::ctl {

// Gives the exit status.
int RunLearn(const Options& options);

}  // namespace proxyd::ctl
