// SPDX-License-Identifier: Apache-2.0
//
// The commands of ttrpc-proxyctl, from their options to what they print. Each function returns the
// exit status.
#pragma once

#include "ctl/options.h"

namespace proxyd::ctl {

// status, peers, calls, rules, users, backends, names; with --watch until interrupted.
int RunLook(const Options& options);
// reload, through the admin service or by a signal.
int RunReload(const Options& options);
// Prints the metrics, all of them or none.
int RunMetrics(const Options& options);
// drain, log-level, close.
int RunAction(const Options& options);
// Shows how the policy of the daemon, or of a configuration file, would decide, and why.
int RunExplain(const Options& options);
// Prints events of the daemon as they happen.
int RunTap(const Options& options);
// Rules made of the calls in an audit file or in a tap of the daemon.
int RunLearn(const Options& options);

}  // namespace proxyd::ctl
