// SPDX-License-Identifier: Apache-2.0
//
// ReloadVerdict: how a reload went, as the daemon writes it to a file for a caller that asked by a
// signal: lines of `key=value`. Pure; any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace proxyd {

// The file's name in the daemon's runtime directory.
inline constexpr std::string_view kReloadVerdictFile = "reload";

struct ReloadVerdict {
  // When it was written.
  std::chrono::system_clock::time_point time;
  // When the daemon began to read its files, or refused to: a caller that asked later waits for
  // another verdict.
  std::chrono::steady_clock::time_point read;
  std::string digest;  // of the configuration in force
  // Each is one line. Without errors the configuration was applied.
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

// `read` is in whole microseconds.
std::string FormatReloadVerdict(const ReloadVerdict& verdict);
// All but `time`, which is for people. None: it is no verdict.
std::optional<ReloadVerdict> ParseReloadVerdict(std::string_view text);

}  // namespace proxyd
