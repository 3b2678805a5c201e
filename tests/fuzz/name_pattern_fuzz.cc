// SPDX-License-Identifier: Apache-2.0
//
// A pattern of a name is refused, or matches exactly if a matcher that tries everything says so.
// The input is the pattern, a newline, the user's name, a newline, and the name of a workload.
#include <string>
#include <string_view>
#include <vector>

#include "config/name_pattern.h"
#include "fuzz.h"

namespace {

constexpr uid_t kUid = 1000;
constexpr gid_t kGid = 20;

// One character of a pattern after its placeholders and backslashes are resolved.
struct Token {
  bool star;
  char c;
};

std::vector<Token> Resolve(std::string_view pattern, std::string_view user) {
  std::vector<Token> tokens;
  const auto add = [&tokens](std::string_view text) {
    for (const char c : text) tokens.push_back({.star = false, .c = c});
  };
  while (!pattern.empty()) {
    size_t taken = 1;
    if (pattern.front() == '*') {
      tokens.push_back({.star = true, .c = '*'});
    } else if (pattern.front() == '\\') {
      taken = 2;
      add(pattern.substr(1, 1));
    } else if (pattern.front() == '{') {
      taken = pattern.find('}') + 1;
      const std::string_view name = pattern.substr(0, taken);
      add(name == "{uid}" ? "1000" : name == "{gid}" ? "20" : user);
    } else {
      add(pattern.substr(0, 1));
    }
    pattern.remove_prefix(taken);
  }
  return tokens;
}

// matches[t] says whether tokens[t, …) match the rest of the name, which is read from its end.
bool TryEverything(const std::vector<Token>& tokens, std::string_view name) {
  std::vector<bool> matches(tokens.size() + 1);
  std::vector<bool> later;
  for (size_t left = 0; left <= name.size(); ++left) {
    const size_t n = name.size() - left;
    later = matches;
    matches[tokens.size()] = left == 0;
    for (size_t t = tokens.size(); t-- > 0;) {
      if (tokens[t].star) {
        matches[t] = matches[t + 1] || (left > 0 && name[n] != '/' && later[t]);
      } else {
        matches[t] = left > 0 && name[n] == tokens[t].c && later[t + 1];
      }
    }
  }
  return matches[0];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Script script(data, size);
  const std::string_view text = script.Until('\n');
  const std::string_view user = script.Until('\n');
  const std::string_view name = script.Rest();
  const auto pattern = proxyd::NamePattern::Parse(text);
  if (!pattern) {
    FUZZ_CHECK(!pattern.error().message().empty());
    return 0;
  }
  FUZZ_CHECK(pattern->text() == text);
  FUZZ_CHECK(pattern->has_placeholder() || !pattern->needs_user());
  FUZZ_CHECK(pattern->needs_user() || !pattern->user_is_open_ended());
  FUZZ_CHECK(pattern->has_placeholder() || !pattern->number_is_open_ended());
  const proxyd::NameMatch match = pattern->Match(name, {.uid = kUid, .gid = kGid, .user = user});
  if (user.empty() && pattern->needs_user()) {
    FUZZ_CHECK(match == proxyd::NameMatch::kUnknown);
    return 0;
  }
  const bool expected = TryEverything(Resolve(text, user), name);
  FUZZ_CHECK(match == (expected ? proxyd::NameMatch::kYes : proxyd::NameMatch::kNo));
  return 0;
}
