// SPDX-License-Identifier: Apache-2.0
//
// LogLine: a message on its way into the log, and the text that it becomes. Pure; any thread.
#pragma once

#include <spdlog/common.h>

#include <string>

#include "config/config.h"

namespace proxyd {

inline constexpr size_t kMessageLimit = 8192;  // bytes of one message; more is cut

struct LogLine {
  spdlog::log_clock::time_point time;
  spdlog::level::level_enum level = spdlog::level::info;
  std::string message;
};

// spdlog's levels above kError count as kError.
LogLevel LevelOf(spdlog::level::level_enum level);

// One line with its newline, whatever the message is. `bare`: the output keeps the time and the
// level beside the text, which in the format "text" then leaves them out.
void AppendLogLine(const LogLine& line, LogFormat format, bool bare, std::string* out);

}  // namespace proxyd
