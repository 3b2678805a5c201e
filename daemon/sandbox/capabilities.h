// SPDX-License-Identifier: Apache-2.0
//
// The capabilities that the daemon keeps. Called while the process has one thread.
#pragma once

#include "sandbox/sandbox_plan.h"
#include "ttrpc/status.h"

namespace proxyd {

// Drops all that a configuration with this plan cannot use, for this thread and those that it
// starts, for ever. Without CAP_SETPCAP the bounding set stays as it is.
ttrpc::Status DropCapabilities(const SandboxPlan& plan);

}  // namespace proxyd
