// SPDX-License-Identifier: Apache-2.0
//
// AllMatches: finds text in manual pages for their tests. Pure; any thread.
#pragma once

#include <regex>
#include <set>
#include <string>

namespace test {

// Returns the first group of each match.
inline std::set<std::string> AllMatches(const std::string& text, const std::string& pattern) {
  std::set<std::string> matches;
  const std::regex regex(pattern);
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it)
    matches.insert((*it)[1]);
  return matches;
}

}  // namespace test
