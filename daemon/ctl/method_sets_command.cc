// SPDX-License-Identifier: Apache-2.0
//
// The method-sets command: prints the sets of methods that are built into the programs. It needs
// neither a daemon nor a configuration.
#include <sysexits.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "config/method_sets.h"
#include "config/toml_writer.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "text/closest.h"
#include "text/escape.h"

namespace proxyd::ctl {
namespace {

std::string MethodSetsAsJson(const MethodSets& sets) {
  nlohmann::json document = nlohmann::json::object();
  for (const auto& [name, methods] : sets) document[name] = methods;
  return document.dump(2) + "\n";
}

// The output can be pasted into a configuration.
std::string MethodSetsAsToml(const MethodSets& sets) {
  TomlWriter out;
  out.Table("[method_sets]", "\"@containerd/METHOD\" is that method of both Task services.");
  for (const auto& [name, methods] : sets) out.ArrayOfLines(name, TomlStrings(methods));
  return out.Take();
}

int PrintMethodSet(std::string_view name, bool as_json) {
  for (const MethodSets* sets : {&BuiltInMethodSets(), &TaskMethodSets()}) {
    const auto found = sets->find(name);
    if (found == sets->end()) continue;
    if (as_json) {
      Print(MethodSetsAsJson({*found}));
      return EXIT_SUCCESS;
    }
    std::string lines;
    for (const std::string& method : found->second) lines.append(method) += '\n';
    Print(lines);
    return EXIT_SUCCESS;
  }
  const std::string written = "@" + std::string(name);
  const std::vector<std::string> names = MethodSetNames(name, BuiltInMethodSets());
  Complain("no built-in method set " + text::QuoteShort(written) + "; " +
           AdviseMethodSet(text::Closest(written, names), names));
  return EX_USAGE;
}

}  // namespace

int RunMethodSets(const Options& options) {
  if (!options.method_set.empty())
    return PrintMethodSet(MethodSetOf(options.method_set).value_or(options.method_set),
                          options.json);
  const MethodSets& sets = BuiltInMethodSets();
  Print(options.json ? MethodSetsAsJson(sets) : MethodSetsAsToml(sets));
  return EXIT_SUCCESS;
}

}  // namespace proxyd::ctl
