// SPDX-License-Identifier: Apache-2.0
//
// The system calls that the daemon is denied, by seccomp: EPERM instead of what they would do. All
// others are left, also those that are not known yet, since whatever it executes inherits the
// filter.
#pragma once

#include "sandbox/sandbox_plan.h"
#include "ttrpc/status.h"

namespace proxyd {

// Of all threads, for ever, and with it no_new_privs. Of `plan` it takes the socket families.
// UNIMPLEMENTED: this kernel has no seccomp filters.
ttrpc::Status FilterSyscalls(const SandboxPlan& plan);

}  // namespace proxyd
