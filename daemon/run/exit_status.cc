// SPDX-License-Identifier: Apache-2.0
#include "run/exit_status.h"

#include <sysexits.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "run/failed_starts.h"
#include "run/signals.h"

namespace proxyd {

// What is not permitted now, such as giving a socket to another user or listening on a low port,
// and what was not built in, stays so. An address in use or a lack of room may pass.
int ExitStatusOf(const ttrpc::Status& failure) {
  const bool lasts = failure.code() == ttrpc::StatusCode::kPermissionDenied ||
                     failure.code() == ttrpc::StatusCode::kUnimplemented;
  return lasts ? EX_CONFIG : EXIT_FAILURE;
}

// A client that waits at a socket unit has the service manager start us again without a pause.
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
