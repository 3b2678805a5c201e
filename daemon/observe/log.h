// SPDX-License-Identifier: Apache-2.0
//
// The daemon's log: spdlog, set up from the configuration. Log calls never wait for the target:
// lines go through a bounded queue, oldest lost first (counted, and said in the log). Whatever is
// logged, what stands there is one line of text or one JSON object for each message, cut at 8 KiB.
// Logging: any thread. The functions here: the main thread.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include "config/config.h"
#include "observe/audit.h"
#include "ttrpc/status.h"

namespace proxyd {

// Makes spdlog's default logger what the configuration says. NOT_FOUND, PERMISSION_DENIED, …: the
// file cannot be opened; UNIMPLEMENTED: the journal is asked for and was not built in. May be
// called again, while others log: an error then leaves all as it was.
ttrpc::Status SetUpLog(const LogConfig& config);

// The level that counts now, and another one, until SetUpLog() sets the next. After SetUpLog().
LogLevel LogLevelNow();
void SetLogLevelNow(LogLevel level);

// Closes and opens the log file again (SIGUSR1), soon, on the log's thread; what cannot be opened
// is said in the old file, which stays in use. Nothing to do for the other targets.
void ReopenLog();

// Writes what is queued, for at most a second if the target is blocked; the last thing a process
// does with its log, after its audit has ended. What is logged later goes nowhere.
void ShutDownLog();

// Lines of audit into the log: as they are, not wrapped, whatever the log's format and level. After
// SetUpLog().
std::unique_ptr<AuditTarget> MakeLogAuditTarget();
// Appends to a file, created with mode 0640; a symbolic link is not followed. The error of open(2)
// otherwise. Failing, and going on after that, are said once in the log.
ttrpc::Result<std::unique_ptr<AuditTarget>> MakeFileAuditTarget(const std::string& path);

}  // namespace proxyd
