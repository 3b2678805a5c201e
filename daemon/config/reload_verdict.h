// SPDX-License-Identifier: Apache-2.0
//
// ReloadVerdict: the result of a reload. The daemon writes it to a file, as lines of `key=value`,
// for callers that requested the reload by a signal. Pure; any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace proxyd {

// The name of the file in the daemon's runtime directory.
inline constexpr std::string_view kReloadVerdictFile = "reload";

struct ReloadVerdict {
  // When the verdict was written.
  std::chrono::system_clock::time_point time;
  // When the daemon began to read its files, or refused to read them. A caller that asked later
  // waits for another verdict.
  std::chrono::steady_clock::time_point read;
  std::string digest;  // identifies the configuration in use
  // Findings as ConfigError::ToString() prints them, and other errors, one on each line. Without
  // errors, the configuration was applied.
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

// `read` is in whole microseconds.
std::string FormatReloadVerdict(const ReloadVerdict& verdict);
// Reads everything but `time`, which is for people. Returns nothing if the text is not a verdict.
std::optional<ReloadVerdict> ParseReloadVerdict(std::string_view text);

}  // namespace proxyd
