// SPDX-License-Identifier: Apache-2.0
//
// Drops the capabilities that the daemon does not need. To be called while the process has one
// thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sandbox/sandbox_plan.h"
#include "ttrpc/status.h"

namespace proxyd {

// Drops every capability that a configuration with this plan cannot use. This is permanent, for
// this thread and those that it starts. Without CAP_SETPCAP the bounding set stays as it is.
//
// A service manager may deny capset(2). If the process then has only capabilities that some
// configuration needs, it keeps them, and a warning is added to `warnings`.
ttrpc::Status DropCapabilities(const SandboxPlan& plan, std::vector<std::string>* warnings);

// Sets each member of a plan whose capability this process does not have. It never had that right,
// so the sandbox takes nothing away.
void AddWhatNeedsNone(SandboxPlan* plan);

// Returns what `look` returns while the capabilities that override file permissions are not in
// effect. Returns false if they cannot be put out of effect or restored.
bool HoldsWithoutOverride(const std::function<bool()>& look);

}  // namespace proxyd
