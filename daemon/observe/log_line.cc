// SPDX-License-Identifier: Apache-2.0
#include "observe/log_line.h"

#include <string_view>

#include "config/words.h"
#include "text/escape.h"
#include "text/numbers.h"

namespace proxyd {

using text::AppendJsonString;
using text::AppendPlainText;
using text::AppendTime;

LogLevel LevelOf(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return LogLevel::kTrace;
    case spdlog::level::debug:
      return LogLevel::kDebug;
    case spdlog::level::info:
      return LogLevel::kInfo;
    case spdlog::level::warn:
      return LogLevel::kWarn;
    default:
      return LogLevel::kError;
  }
}

void AppendLogLine(const LogLine& line, LogFormat format, bool bare, std::string* out) {
  const std::string_view level = WordOf(kLogLevelWords, LevelOf(line.level));
  if (format == LogFormat::kJson) {
    out->append("{\"time\":\"");
    AppendTime(line.time, out);
    out->append("\",\"level\":\"").append(level).append("\",\"message\":");
    AppendJsonString(line.message, kMessageLimit, out);
    out->push_back('}');
  } else {
    if (!bare) {
      AppendTime(line.time, out);
      out->append(" ").append(level).append(" ");
    }
    AppendPlainText(line.message, kMessageLimit, out);
  }
  out->push_back('\n');
}

}  // namespace proxyd
