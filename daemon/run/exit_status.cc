// SPDX-License-Identifier: Apache-2.0
#include "run/exit_status.h"

#include <sysexits.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "run/failed_starts.h"
#include "run/signals.h"

namespace proxyd {

// A missing right, such as that to give a socket to another user or to listen on a low port, is a
// lasting failure, and so is a missing feature. An address in use or a full disk may pass.
int ExitStatusOf(const ttrpc::Status& failure) {
  const bool lasts = failure.code() == ttrpc::StatusCode::kPermissionDenied ||
                     failure.code() == ttrpc::StatusCode::kUnimplemented;
  return lasts ? EX_CONFIG : EXIT_FAILURE;
}

// The pause matters with a socket unit: a client that waits there makes the service manager start
// the daemon again at once.
int PauseBeforeRetry(int status) {
  if (status != EX_TEMPFAIL && status != EXIT_FAILURE) return status;
  const std::chrono::milliseconds pause = FailedStarts(FileOfFailedStarts()).Count();
  if (pause.count() == 0) return status;
  std::fprintf(stderr, "exiting in %lld ms, to be started again\n",
               static_cast<long long>(pause.count()));
  HoldBack(kStopSignals);
  return WaitUnlessStopped(pause) ? status : EXIT_SUCCESS;
}

}  // namespace proxyd
