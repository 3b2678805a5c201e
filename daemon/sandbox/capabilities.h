// SPDX-License-Identifier: Apache-2.0
//
// The capabilities that the daemon keeps. Called while the process has one thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sandbox/sandbox_plan.h"
#include "ttrpc/status.h"

namespace proxyd {

// Drops all that a configuration with this plan cannot use, for this thread and those that it
// starts, for ever. Without CAP_SETPCAP the bounding set stays as it is.
//
// A service manager may have left us no capset(2) to drop the capabilities with that a plan may or
// may not need. They then stay, and `warnings` gets one more.
ttrpc::Status DropCapabilities(const SandboxPlan& plan, std::vector<std::string>* warnings);

// What of a plan no dropped capability stands in the way of, since this process has never had it.
void AddWhatNeedsNone(SandboxPlan* plan);

// What `look` returns without the right to pass over the permissions of files. False if that right
// cannot be laid down.
bool HoldsWithoutOverride(const std::function<bool()>& look);

}  // namespace proxyd
