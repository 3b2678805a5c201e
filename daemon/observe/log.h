// SPDX-License-Identifier: Apache-2.0
//
// The daemon's log: spdlog, set up from the configuration. Log calls never wait for the target:
// lines go through a bounded queue, oldest lost first (and counted).
#pragma once

#include <spdlog/spdlog.h>

#include <memory>

#include "config/config.h"
#include "observe/audit.h"
#include "ttrpc/status.h"

namespace proxyd {

// Makes spdlog's default logger what the configuration says. NOT_FOUND, PERMISSION_DENIED, …: the
// file cannot be opened; UNIMPLEMENTED: the journal is asked for and was not built in.
ttrpc::Status SetUpLog(const LogConfig& config);

// Closes and opens the log file again (SIGUSR1); nothing to do for the other targets.
void ReopenLog();

// Writes what is queued; the last thing a process does with its log.
void ShutDownLog();

// Lines of audit into the log: as they are, not wrapped, whatever the log's format and level.
std::unique_ptr<AuditTarget> MakeLogAuditTarget();
// Appends to a file, created with mode 0640. The error of open(2) otherwise.
ttrpc::Result<std::unique_ptr<AuditTarget>> MakeFileAuditTarget(const std::string& path);

}  // namespace proxyd
