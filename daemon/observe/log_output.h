// SPDX-License-Identifier: Apache-2.0
//
// LogOutput: where lines of the log and of the audit go: stderr, a file, the journal. One thread at
// a time, which may block; SetDeadline() on any thread.
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
  size_t kept = 0;  // bytes of what was given that the output has, whole lines or records
};

class LogOutput {
 public:
  // Writes heed the deadline as far as the output can be waited for; see LineFile.
  explicit LogOutput(std::unique_ptr<WriteDeadline> deadline) : deadline_(std::move(deadline)) {}
  virtual ~LogOutput() = default;
  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  // The time and the level are kept beside the line, which need not have them.
  virtual bool keeps_time_and_level() const { return false; }
  // A line with its newline. 0, or the errno of the failure: it is lost.
  virtual int Write(spdlog::level::level_enum level, std::string_view line) = 0;
  // Records of the audit, packed: not wrapped, and whatever the log's format is. No records at all
  // ask only whether the output could be opened again.
  virtual WriteResult WriteRaw(std::string_view records) = 0;
  // Logs it if that fails. Each write then tries again, at most once a second; until one succeeds,
  // lines go where they went before, and records nowhere: WriteRaw() fails.
  virtual void Reopen() {}

  // Also for a write that is waiting already.
  void SetDeadline(std::chrono::steady_clock::time_point deadline) { deadline_->Set(deadline); }

 protected:
  const WriteDeadline& deadline() const { return *deadline_; }

 private:
  const std::unique_ptr<WriteDeadline> deadline_;
};

using OutputResult = ttrpc::Result<std::unique_ptr<LogOutput>>;

// Opens what `config` names; errors as PrepareLog().
OutputResult MakeLogOutput(const LogConfig& config);
// The audit's file. Errors as MakeFileAuditTarget().
OutputResult MakeAuditFileOutput(const std::string& path);

}  // namespace proxyd
