// SPDX-License-Identifier: Apache-2.0
#include "observe/log_line.h"

#include <string_view>

#include "text/escape.h"
#include "text/numbers.h"

namespace proxyd {

using text::AppendJsonString;
using text::AppendPlainText;
using text::AppendTime;

namespace {

std::string_view LevelName(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return "trace";
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warn";
    default:
      return "error";
  }
}

}  // namespace

void AppendLogLine(const LogLine& line, LogFormat format, bool bare, std::string* out) {
  if (format == LogFormat::kJson) {
    out->append("{\"time\":\"");
    AppendTime(line.time, out);
    out->append("\",\"level\":\"").append(LevelName(line.level)).append("\",\"message\":");
    AppendJsonString(line.message, kMessageLimit, out);
    out->push_back('}');
  } else {
    if (!bare) {
      AppendTime(line.time, out);
      out->append(" ").append(LevelName(line.level)).append(" ");
    }
    AppendPlainText(line.message, kMessageLimit, out);
  }
  out->push_back('\n');
}

}  // namespace proxyd
