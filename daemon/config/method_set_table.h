// SPDX-License-Identifier: Apache-2.0
//
// MethodSetTable: the sets of methods that the rules of one configuration can name, which are those
// of [method_sets] and the built-in ones. This is a gate: a set with an error in it has an error of
// its own, so that no rule silently matches fewer or more methods than it says. Pure; one thread.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/method_sets.h"
#include "config/toml.h"

namespace proxyd {

class MethodSetTable {
 public:
  // Reads [method_sets] and reports each error in it: a name that no set can have, an element that
  // is neither a pattern nor the name of a set, and sets that name each other in a circle. If
  // `complete` is false, another file may define a missing set, so it is not an error.
  void Read(const TomlTables& tables, bool complete, Diagnostics* errors);

  // Appends the patterns of the set that `name` (without `@`) names, and of the sets that it names,
  // and remembers that these are used. A pattern may be appended twice. Returns false if there is
  // no such set.
  bool Expand(std::string_view name, std::vector<MethodPattern>* methods);

  // Returns `method "x" is not a valid pattern; use …`, or `did you mean "@x"?` if there is a set
  // of that name.
  std::string NotAPattern(std::string_view text) const;
  // Returns `method set "@x" does not exist; did you mean "@y"? Otherwise use …`.
  std::string Missing(std::string_view text, Diagnostics* errors) const;

  // Returns the sets that Expand() has used, as they are written. Those of TaskMethodSets() are not
  // among them, since their names say what they contain and no configuration can replace them.
  MethodSets Used() const;

 private:
  const std::vector<std::string>* Find(std::string_view name) const;
  void CheckElements(const toml::array& elements, bool complete, Diagnostics* errors) const;

  MethodSets sets_ = BuiltInMethodSets();
  std::set<std::string, std::less<>> used_;
};

}  // namespace proxyd
