// SPDX-License-Identifier: Apache-2.0
//
// The commands of ttrpc-proxyctl, from their options to what they print. Each function returns the
// exit status.
#pragma once

#include "ctl/options.h"

namespace proxyd::ctl {

// Runs status, peers, calls, rules, users, backends, workloads or names; with --watch until
// interrupted.
int RunLook(const Options& options);
// Runs reload, through the admin service or by SIGHUP.
int RunReload(const Options& options);
// Prints all metrics, or none if the daemon fails halfway.
int RunMetrics(const Options& options);
// Runs drain, log-level or close.
int RunAction(const Options& options);
// Shows how the policy of the daemon, or of a configuration file, would decide a call, and why.
int RunExplain(const Options& options);
// Prints events of the daemon as they happen.
int RunTap(const Options& options);
// Prints the built-in sets of methods, or one of them.
int RunMethodSets(const Options& options);
// Prints rules generated from the calls in an audit file or in a tap of the daemon.
int RunLearn(const Options& options);

}  // namespace proxyd::ctl
