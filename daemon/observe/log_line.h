// SPDX-License-Identifier: Apache-2.0
//
// LogLine: a message on its way to the log, and the text that it becomes. The functions are pure.
#pragma once

#include <spdlog/common.h>

#include <string>

#include "config/config.h"

namespace proxyd {

inline constexpr size_t kMessageLimit = 8192;  // bytes of one message; a longer one is cut

struct LogLine {
  spdlog::log_clock::time_point time;
  spdlog::level::level_enum level = spdlog::level::info;
  std::string message;
};

// Levels of spdlog above kError count as kError.
LogLevel LevelOf(spdlog::level::level_enum level);

// Appends one line with its newline, whatever the message contains. `bare` means that the output
// stores the time and the level itself, so that the format "text" leaves them out.
void AppendLogLine(const LogLine& line, LogFormat format, bool bare, std::string* out);

}  // namespace proxyd
