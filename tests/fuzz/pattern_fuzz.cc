// SPDX-License-Identifier: Apache-2.0
//
// A pattern matches exactly if a matcher that tries everything says so. The input is the pattern, a
// newline, and the text.
#include <string>
#include <vector>

#include "fuzz.h"
#include "policy/match.h"

namespace {

// matches[p] says whether pattern[p, …) matches the rest of the text, which is read from its end.
bool TryEverything(std::string_view pattern, std::string_view text) {
  std::vector<bool> matches(pattern.size() + 1);
  std::vector<bool> later;
  for (size_t left = 0; left <= text.size(); ++left) {
    const size_t t = text.size() - left;
    later = matches;
    matches[pattern.size()] = left == 0;
    for (size_t p = pattern.size(); p-- > 0;) {
      if (pattern[p] == '*') {
        matches[p] = matches[p + 1] || (left > 0 && text[t] != '/' && later[p]);
      } else {
        matches[p] = left > 0 && text[t] == pattern[p] && later[p + 1];
      }
    }
  }
  return matches[0];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Script script(data, size);
  const std::string_view pattern = script.Until('\n');
  const std::string_view text = script.Rest();
  const bool matches = proxyd::MatchPattern(pattern, text);
  FUZZ_CHECK(matches == TryEverything(pattern, text));
  if (proxyd::IsExact(pattern)) FUZZ_CHECK(matches == (pattern == text));
  if (proxyd::MatchesAll(pattern) && text.find('/') == std::string_view::npos) FUZZ_CHECK(matches);
  return 0;
}
