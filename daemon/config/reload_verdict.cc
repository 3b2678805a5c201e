// SPDX-License-Identifier: Apache-2.0
#include "config/reload_verdict.h"

#include <charconv>
#include <cstdint>

#include "text/escape.h"
#include "text/numbers.h"

namespace proxyd {

namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;

// The longest line, which is as long as in the log. A policy of thousands of rules may have as many
// warnings.
constexpr size_t kLineLimit = 8192;

void AppendLine(std::string_view key, std::string_view value, std::string* out) {
  out->append(key).append("=");
  text::AppendPlainText(value, kLineLimit, out);
  out->push_back('\n');
}

std::optional<steady_clock::time_point> ParseRead(std::string_view digits) {
  int64_t count = 0;
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, count);
  if (error != std::errc() || end != last || count < 0) return std::nullopt;
  return steady_clock::time_point(microseconds(count));
}

}  // namespace

std::string FormatReloadVerdict(const ReloadVerdict& verdict) {
  std::string text = "time=";
  text::AppendTime(verdict.time, &text);
  const auto read = std::chrono::floor<microseconds>(verdict.read.time_since_epoch());
  text.append("\nread_us=").append(std::to_string(read.count())).append("\n");
  AppendLine("digest", verdict.digest, &text);
  text.append(verdict.errors.empty() ? "result=ok\n" : "result=refused\n");
  for (const std::string& error : verdict.errors) AppendLine("error", error, &text);
  for (const std::string& warning : verdict.warnings) AppendLine("warning", warning, &text);
  return text;
}

std::optional<ReloadVerdict> ParseReloadVerdict(std::string_view text) {
  ReloadVerdict verdict;
  std::optional<steady_clock::time_point> read;
  std::string_view result;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const size_t equals = line.find('=');
    if (end == text.npos || equals == line.npos) return std::nullopt;
    text.remove_prefix(end + 1);
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (key == "read_us") read = ParseRead(value);
    if (key == "digest") verdict.digest = value;
    if (key == "result") result = value;
    if (key == "error") verdict.errors.emplace_back(value);
    if (key == "warning") verdict.warnings.emplace_back(value);
  }
  const bool applied = result == "ok" && verdict.errors.empty();
  const bool refused = result == "refused" && !verdict.errors.empty();
  if (!read || (!applied && !refused)) return std::nullopt;
  verdict.read = *read;
  return verdict;
}

}  // namespace proxyd
