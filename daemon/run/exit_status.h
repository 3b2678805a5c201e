// SPDX-License-Identifier: Apache-2.0
//
// The exit status of a daemon that cannot start or continue, and the pause before it exits. A
// service manager decides by the status whether to start it again. On the main thread.
#pragma once

#include "ttrpc/status.h"

namespace proxyd {

// EX_CONFIG if another start would fail in the same way, EXIT_FAILURE otherwise.
int ExitStatusOf(const ttrpc::Status& failure);

// Waits if a service manager will start the daemon again after `status`. Each failed start in a row
// waits longer (FailedStarts). Returns `status`, or EXIT_SUCCESS if a stop signal arrives
// meanwhile.
int PauseBeforeRetry(int status);

}  // namespace proxyd
