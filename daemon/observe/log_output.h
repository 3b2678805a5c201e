// SPDX-License-Identifier: Apache-2.0
//
// LogOutput: the destination of lines of the log and the audit: stderr, a file or the journal. One
// thread at a time may use it, and may block. Any thread may call SetDeadline().
#pragma once

#include <spdlog/common.h>

#include <memory>
#include <string>
#include <string_view>

#include "config/config.h"
#include "observe/line_file.h"
#include "ttrpc/status.h"

namespace proxyd {

struct WriteResult {
  int error = 0;    // 0, or the errno of the failure
  size_t kept = 0;  // bytes of the given lines or records that were written whole
};

class LogOutput {
 public:
  // Writes end at the deadline, as far as the output can be waited for; see LineFile.
  explicit LogOutput(std::unique_ptr<WriteDeadline> deadline) : deadline_(std::move(deadline)) {}
  virtual ~LogOutput() = default;
  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  // Returns whether the output stores the time and the level itself, so that lines need not have
  // them.
  virtual bool keeps_time_and_level() const { return false; }
  // Writes a line with its newline. Returns 0, or the errno of the failure: then the line is lost.
  virtual int Write(spdlog::level::level_enum level, std::string_view line) = 0;
  // Writes packed records of the audit, not wrapped, whatever the log's format.
  virtual WriteResult WriteRaw(std::string_view records) = 0;
  // Opens a file again, and logs a failure. Does nothing for other outputs.
  virtual void Reopen() {}

  // Also applies to a write that is waiting.
  void SetDeadline(std::chrono::steady_clock::time_point deadline) { deadline_->Set(deadline); }

 protected:
  const WriteDeadline& deadline() const { return *deadline_; }

 private:
  const std::unique_ptr<WriteDeadline> deadline_;
};

using OutputResult = ttrpc::Result<std::unique_ptr<LogOutput>>;

// Opens what `config` names. The errors are those of PrepareLog().
OutputResult MakeLogOutput(const LogConfig& config);
// Opens the audit's file. The errors are those of MakeFileAuditTarget().
OutputResult MakeAuditFileOutput(const std::string& path);

}  // namespace proxyd
