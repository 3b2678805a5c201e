// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sanitizer_needs.h"

#include <cstdlib>
#include <string_view>

namespace proxyd {

namespace {

// Returns the directory of PATH, from `log_path=PATH` in options that colons separate.
std::string ReportFolder(std::string_view options) {
  constexpr std::string_view kKey = "log_path=";
  const size_t key = options.find(kKey);
  if (key == options.npos) return "";
  const std::string_view rest = options.substr(key + kKey.size());
  const std::string_view path = rest.substr(0, rest.find(':'));
  return std::string(path.substr(0, path.rfind('/')));
}

}  // namespace

std::vector<SanitizerNeed> SanitizerNeeds() {
  std::vector<SanitizerNeed> needs;
  if (!kWithSanitizers) return needs;
  // The symbolizer, which finds the names of functions for a report, is below /usr.
  needs.push_back({.path = "/usr", .executes = true});
  for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    const char* options = std::getenv(name);
    const std::string folder = ReportFolder(options != nullptr ? options : "");
    if (!folder.empty()) needs.push_back({.path = folder, .executes = false});
  }
  return needs;
}

}  // namespace proxyd
