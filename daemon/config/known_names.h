// SPDX-License-Identifier: Apache-2.0
//
// Names that a user types, looked up among those of a configuration: its listeners, rules or
// backends. Pure; any thread.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "text/escape.h"
#include "ttrpc/status.h"

namespace proxyd {

template <typename T>
bool HasName(const std::vector<T>& things, std::string_view name) {
  return std::any_of(things.begin(), things.end(),
                     [name](const T& thing) { return thing.name == name; });
}

// `there are: "a", "b"`, or `there are: none`.
template <typename T>
std::string ThereAre(const std::vector<T>& things) {
  std::string names;
  for (const T& thing : things) names += (names.empty() ? "" : ", ") + text::Quote(thing.name);
  return "there are: " + (names.empty() ? "none" : names);
}

// NOT_FOUND `no rule "x"; there are: "a", "b"`. `kind`: the word for one of them.
template <typename T>
ttrpc::Status NoSuchName(std::string_view kind, std::string_view name,
                         const std::vector<T>& things) {
  return {ttrpc::StatusCode::kNotFound,
          std::string("no ").append(kind) + " " + text::Quote(name) + "; " + ThereAre(things)};
}

}  // namespace proxyd
