// SPDX-License-Identifier: Apache-2.0
#include "config/method_sets.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "config/known_names.h"
#include "config/rpc_names.h"
#include "config/toml.h"
#include "text/escape.h"

namespace proxyd {
namespace {

constexpr char kSetSign = '@';
constexpr std::string_view kTaskPrefix = "containerd/";
constexpr std::string_view kTaskSet = "containerd-task";

// The bytes of config/method_sets.toml.
constexpr unsigned char kMethodSetsToml[] = {
#include "config/method_sets.inc"
};

// A test checks that the file is valid, so that nothing is lost here.
MethodSets ReadBuiltInSets() {
  const ConfigFile file = {
      "method_sets.toml",
      std::string(reinterpret_cast<const char*>(kMethodSetsToml), sizeof kMethodSetsToml)};
  MethodSets sets;
  const auto parsed = ParseToml(file);
  const auto* document = std::get_if<toml::table>(&parsed);
  const auto* tables = document != nullptr ? document->get_as<toml::table>("method_sets") : nullptr;
  if (tables == nullptr) return sets;
  for (const auto& [name, value] : *tables) {
    std::vector<std::string>& methods = sets[std::string(name.str())];
    const auto* elements = value.as_array();
    if (elements == nullptr) continue;
    for (const toml::node& element : *elements) methods.push_back(StringOf(element));
  }
  return sets;
}

MethodSets MakeTaskSets() {
  MethodSets sets;
  const MethodSets& built_in = BuiltInMethodSets();
  const auto task = built_in.find(kTaskSet);
  if (task == built_in.end()) return sets;
  for (const std::string& text : task->second) {
    const auto name = ParseMethodName(text);
    if (name) sets[std::string(kTaskPrefix).append(name->method)].push_back(text);
  }
  return sets;
}

}  // namespace

const MethodSets& BuiltInMethodSets() {
  static const MethodSets kSets = ReadBuiltInSets();
  return kSets;
}

const MethodSets& TaskMethodSets() {
  static const MethodSets kSets = MakeTaskSets();
  return kSets;
}

std::optional<std::string_view> MethodSetOf(std::string_view text) {
  if (!text.starts_with(kSetSign)) return std::nullopt;
  return text.substr(1);
}

bool IsMethodSetName(std::string_view name) {
  constexpr size_t kMaxName = 64;
  return !name.empty() && name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

std::vector<std::string> MethodSetNames(std::string_view name, const MethodSets& sets) {
  const bool of_task = name.starts_with(kTaskPrefix);
  std::vector<std::string> names;
  for (const auto& [known, methods] : of_task ? TaskMethodSets() : sets)
    names.push_back(kSetSign + known);
  if (!of_task) names.push_back(kSetSign + std::string(kTaskPrefix) + "METHOD");
  return names;
}

std::string AdviseMethodSet(const std::string& closest, const std::vector<std::string>& names) {
  const std::string use = UseOneOf(names);
  return closest.empty() ? use : "did you mean " + text::Quote(closest) + "? Otherwise " + use;
}

}  // namespace proxyd
