// SPDX-License-Identifier: Apache-2.0
//
// SanitizerNeeds: what a build with sanitizers needs of the sandbox beyond what the daemon does, so
// that what they find is still told. In any other build: nothing.
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
  bool executes;  // programs; otherwise it makes files in this folder
};

std::vector<SanitizerNeed> SanitizerNeeds();

}  // namespace proxyd
