// SPDX-License-Identifier: Apache-2.0
//
// Denies the daemon system calls by seccomp: they return EPERM. All other calls stay permitted,
// even those of future kernels, since an upgraded daemon inherits the filter and may need them.
#pragma once

#include "sandbox/sandbox_plan.h"
#include "ttrpc/status.h"

namespace proxyd {

// Applies the filter to all threads permanently, and sets no_new_privs. `plan` decides which socket
// families stay permitted, and whether directories can be followed and made. Returns UNIMPLEMENTED
// if the kernel has no seccomp filters.
ttrpc::Status FilterSyscalls(const SandboxPlan& plan);

}  // namespace proxyd
