// SPDX-License-Identifier: Apache-2.0
//
// SanitizerNeeds: the paths that a build with sanitizers needs beside the daemon's own, so that
// sanitizers can write their reports. In any other build there are none.
#pragma once

#include <string>
#include <vector>

namespace proxyd {

#ifdef WITH_SANITIZERS
inline constexpr bool kWithSanitizers = true;
#else
inline constexpr bool kWithSanitizers = false;
#endif

struct SanitizerNeed {
  std::string path;
  bool executes;  // the build executes programs there; otherwise it makes files there
};

std::vector<SanitizerNeed> SanitizerNeeds();

}  // namespace proxyd
