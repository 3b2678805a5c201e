// SPDX-License-Identifier: Apache-2.0
//
// The daemon's log: spdlog, set up from the configuration. Logging never waits for the target.
// Lines pass through a bounded queue, which drops the oldest first; the log reports how many. Each
// message becomes one line of text or one JSON object, whatever it contains, and is cut at 8 KiB.
// Any thread may log. The functions below are for the main thread, and none of them waits for a
// write.
#pragma once

#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <string>

#include "config/config.h"
#include "observe/audit.h"
#include "observe/log_output.h"
#include "ttrpc/status.h"

namespace proxyd {

// Opens the target of `config`; any thread may call it. Returns an error if the file cannot be
// opened or journald cannot be reached, and RESOURCE_EXHAUSTED if too many earlier targets hang.
ttrpc::Result<std::unique_ptr<LogOutput>> PrepareLog(const LogConfig& config);

// Sets up spdlog's default logger from the configuration. It may be called again while others log:
// a hanging write to the previous target is given up, and its line goes to the new one. Without
// `output` the present one stays; the first call needs one.
void SetUpLog(const LogConfig& config, std::unique_ptr<LogOutput> output);
// Calls PrepareLog() and SetUpLog(). After an error nothing has changed.
ttrpc::Status SetUpLog(const LogConfig& config);

// Writes an error to standard error in the log's format, while there is no log.
void LogWithoutTarget(LogFormat format, std::string message);

// These return and change the level in use until the next SetUpLog(). SetUpLog() must have been
// called.
LogLevel LogLevelNow();
void SetLogLevelNow(LogLevel level);

// Opens the log file again (SIGUSR1), soon, on the log's thread. If that fails, the old file stays
// in use and the failure is logged there. Does nothing for the other targets.
void ReopenLog();

// Writes what is queued, and gives up a blocked target soon after `deadline`. Must be the last call
// about the log, after the audit has ended, unless the process calls _exit(2) next. Later lines are
// lost.
void ShutDownLog(std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::now() +
                                                                  std::chrono::seconds(1));

// Returns a target that writes the audit's records to the log, whatever its format and level. The
// lines are not wrapped, and journal entries also have the fields. SetUpLog() must have been
// called.
std::unique_ptr<AuditTarget> MakeLogAuditTarget();
// Returns a target that appends to a file, created with mode 0640; a symbolic link is not followed.
// Errors are those of open(2), and RESOURCE_EXHAUSTED as in PrepareLog(). A failure and its end are
// logged once each. Any thread may call it.
ttrpc::Result<std::unique_ptr<AuditTarget>> MakeFileAuditTarget(const std::string& path);
// Returns the target that `config` names.
ttrpc::Result<std::unique_ptr<AuditTarget>> MakeAuditTarget(const AuditConfig& config);

}  // namespace proxyd
