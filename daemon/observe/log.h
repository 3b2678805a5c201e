// SPDX-License-Identifier: Apache-2.0
//
// The daemon's log: spdlog, set up from the configuration. Log calls never wait for the target:
// lines go through a bounded queue, oldest lost first (counted, and said in the log). Whatever is
// logged, what stands there is one line of text or one JSON object for each message, cut at 8 KiB.
// Logging: any thread. The functions here: the main thread, and none of them waits for a write.
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

// Opens the target that `config` names; on any thread. NOT_FOUND, PERMISSION_DENIED, …: the file
// cannot be opened, or there is no journal. RESOURCE_EXHAUSTED: too many earlier targets hang.
ttrpc::Result<std::unique_ptr<LogOutput>> PrepareLog(const LogConfig& config);

// Makes spdlog's default logger what the configuration says. May be called again, while others log:
// a write to the target before that hangs is given up, and its line goes to the new one. Without an
// output the one that is there stays; the first time it must be given.
void SetUpLog(const LogConfig& config, std::unique_ptr<LogOutput> output);
// Both in one. An error leaves all as it was.
ttrpc::Status SetUpLog(const LogConfig& config);

// Writes an error to standard error as the log would have it, while there is no log to write it to.
void LogWithoutTarget(LogFormat format, std::string message);

// The level that counts now, and another one, until SetUpLog() sets the next. After SetUpLog().
LogLevel LogLevelNow();
void SetLogLevelNow(LogLevel level);

// Closes and opens the log file again (SIGUSR1), soon, on the log's thread. If that fails, the old
// file has the error and stays in use for the log, not for the audit; each later line has it tried
// again, at most once a second. Nothing to do for the other targets.
void ReopenLog();

// Writes what is queued, until `deadline` and a moment longer if the target is blocked; the last
// thing a process does with its log, after its audit has ended, unless it calls _exit(2) next. What
// is logged later goes nowhere.
void ShutDownLog(std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::now() +
                                                                  std::chrono::seconds(1));

// Returns a target that writes the audit's records into the log, whatever its format and level: as
// lines that are not wrapped, and in the journal also as fields. SetUpLog() must have been called.
std::unique_ptr<AuditTarget> MakeLogAuditTarget();
// Appends to a file, created with mode 0640; a symbolic link is not followed. The error of open(2)
// otherwise, or RESOURCE_EXHAUSTED as PrepareLog(). Failing, and going on after that, are said once
// in the log. Any thread.
ttrpc::Result<std::unique_ptr<AuditTarget>> MakeFileAuditTarget(const std::string& path);
// Whichever of the two `config` names.
ttrpc::Result<std::unique_ptr<AuditTarget>> MakeAuditTarget(const AuditConfig& config);

}  // namespace proxyd
