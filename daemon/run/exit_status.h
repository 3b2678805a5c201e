// SPDX-License-Identifier: Apache-2.0
//
// The exit status of a daemon that could not start or go on, by which a service manager decides
// whether to start it again, and the pause before it exits. The main thread.
#pragma once

#include "ttrpc/status.h"

namespace proxyd {

// EX_CONFIG if another start would fail in the same way, EXIT_FAILURE otherwise.
int ExitStatusOf(const ttrpc::Status& failure);

// Waits before the process exits with a status that has it started again, for longer with each
// start that fails (FailedStarts). Returns `status`, or EXIT_SUCCESS if it was told to stop first.
int PauseBeforeRetry(int status);

}  // namespace proxyd
