// SPDX-License-Identifier: Apache-2.0
//
// Helps users who type a name that a configuration does not have: the names of listeners, rules and
// backends. Pure; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "text/closest.h"
#include "text/escape.h"
#include "ttrpc/status.h"

namespace proxyd {

template <typename T>
bool HasName(const std::vector<T>& things, std::string_view name) {
  return std::any_of(things.begin(), things.end(),
                     [name](const T& thing) { return thing.name == name; });
}

// `use "a"`, `use "a" or "b"`, or `the configuration has none`. Of many names, it shows a few.
inline std::string UseOneOf(const std::vector<std::string>& names) {
  constexpr size_t kMostShown = 10;
  if (names.empty()) return "the configuration has none";
  const size_t shown = std::min(names.size(), kMostShown);
  std::string advice = "use ";
  for (size_t i = 0; i < shown; ++i) {
    if (i > 0) advice += i + 1 == names.size() ? " or " : ", ";
    advice += text::Quote(names[i]);
  }
  if (names.size() > shown)
    advice += " or one of " + std::to_string(names.size() - shown) + " more";
  return advice;
}

template <typename T>
std::vector<std::string> NamesOf(const std::vector<T>& things) {
  std::vector<std::string> names;
  names.reserve(things.size());
  for (const T& thing : things) names.push_back(thing.name);
  return names;
}

// NOT_FOUND `no rule "x"; did you mean "y"?`, or `no rule "x"; use "a" or "b"` if no name is close.
// `kind` is the word for what has the name.
template <typename T>
ttrpc::Status NoSuchName(std::string_view kind, std::string_view name,
                         const std::vector<T>& things) {
  // Comparing more names would take too long in the daemon's event loop.
  constexpr size_t kMostCompared = 1000;
  const std::vector<std::string> names = NamesOf(things);
  std::string advice = UseOneOf(names);
  if (names.size() <= kMostCompared) advice = text::DidYouMean(name, names, advice);
  return {ttrpc::StatusCode::kNotFound,
          std::string("no ").append(kind) + " " + text::Quote(name) + "; " + advice};
}

}  // namespace proxyd
