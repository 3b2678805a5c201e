// SPDX-License-Identifier: Apache-2.0
//
// The commands that ask the daemon one thing. Each gives the exit status.
#pragma once

#include "ctl/options.h"

namespace proxyd::ctl {

// status, peers, calls, rules, users, backends; with --watch until interrupted.
int RunLook(const Options& options);
// reload, drain, log-level, close.
int RunAction(const Options& options);

}  // namespace proxyd::ctl
