// SPDX-License-Identifier: Apache-2.0
//
// Connector for coroutines. On the loop's thread.
#pragma once

#include "ttrpc/address.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/task.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

// A connected, non-blocking socket. UNAVAILABLE `ADDRESS: WHY`. It takes as long as its task is
// left to.
Task<Result<UniqueFd>> ConnectTo(IoLoop& loop, Address address);

}  // namespace ttrpc
