// SPDX-License-Identifier: Apache-2.0
//
// The built-in sets of methods, which config/method_sets.toml lists. A list of methods names a set
// by `@` and the set's name. method_set_table.h adds the sets of a configuration. Immutable values;
// any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace proxyd {

// Lists of methods by the name of their set, without `@`. The elements are as they are written:
// patterns, and names of other sets with `@`.
using MethodSets = std::map<std::string, std::vector<std::string>, std::less<>>;

// Returns the sets of config/method_sets.toml. They contain only valid patterns and name no sets.
// The result lives as long as the program.
const MethodSets& BuiltInMethodSets();

// Returns a set `containerd/METHOD` for each method of containerd's Task services. It contains that
// method of both services, v2 first. The result lives as long as the program.
const MethodSets& TaskMethodSets();

// Returns the name of the set if `text`, an element of a list of methods, names one.
std::optional<std::string_view> MethodSetOf(std::string_view text);

// Returns whether a configuration may define a set with this name: 1 to 64 letters, digits, `-` and
// `_`.
bool IsMethodSetName(std::string_view name);

// Returns the names, with `@`, among which the user may have meant `name`: the keys of
// TaskMethodSets() if it begins with `containerd/`, and otherwise those of `sets`.
std::vector<std::string> MethodSetNames(std::string_view name, const MethodSets& sets);

// Returns `use "@a" or "@b"`, or `did you mean "@a"? Otherwise use "@a" or "@b"` if `closest` is
// one of the names and not empty.
std::string AdviseMethodSet(const std::string& closest, const std::vector<std::string>& names);

}  // namespace proxyd
