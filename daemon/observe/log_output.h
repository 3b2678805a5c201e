// SPDX-License-Identifier: Apache-2.0
//
// LogOutput: where the log's lines go: stderr, a file, the journal. One thread at a time; may
// block.
#pragma once

#include <spdlog/common.h>

#include <memory>
#include <string_view>

#include "config/config.h"
#include "observe/line_file.h"
#include "ttrpc/status.h"

namespace proxyd {

class LogOutput {
 public:
  virtual ~LogOutput() = default;
  // The time and the level are kept beside the line: they need not stand in it.
  virtual bool keeps_time_and_level() const { return false; }
  // A line with its newline. False: it is lost.
  virtual bool Write(spdlog::level::level_enum level, std::string_view line) = 0;
  // Whole lines, as they are. False: as AuditTarget::Write().
  virtual bool WriteRaw(std::string_view lines) = 0;
  virtual ttrpc::Status Reopen() { return {}; }
};

// Opens what `config` names; errors as SetUpLog(). `deadline` must outlive the output.
ttrpc::Result<std::unique_ptr<LogOutput>> MakeLogOutput(const LogConfig& config,
                                                        const WriteDeadline& deadline);

}  // namespace proxyd
