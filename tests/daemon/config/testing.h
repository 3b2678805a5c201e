// SPDX-License-Identifier: Apache-2.0
//
// Helpers of the configuration's tests: names that do not depend on the machine, and texts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/load.h"

namespace proxyd {

class FakeNames : public NameResolver {
 public:
  std::optional<uid_t> User(const std::string& name) override { return Find(users_, name); }
  std::optional<gid_t> Group(const std::string& name) override { return Find(groups_, name); }
  std::vector<std::string> Users() override { return NamesIn(users_); }
  std::vector<std::string> Groups() override { return NamesIn(groups_); }

 private:
  using Table = std::map<std::string, uint32_t>;

  static std::optional<uint32_t> Find(const Table& table, const std::string& name) {
    const auto found = table.find(name);
    return found == table.end() ? std::nullopt : std::optional(found->second);
  }

  static std::vector<std::string> NamesIn(const Table& table) {
    std::vector<std::string> names;
    for (const auto& [name, id] : table) names.push_back(name);
    return names;
  }

  const Table users_ = {
      {"root", 0}, {"prometheus", 989}, {"nobody", 65534}, {"broken", 0xffffffffU}};
  const Table groups_ = {{"root", 0}, {"monitoring", 995}, {"nogroup", 65534}};
};

inline LoadedConfig ParseFilesForTest(const std::vector<ConfigFile>& files) {
  FakeNames names;
  return ParseConfig(files, names);
}

// Parses one file, which is called `c`.
inline LoadedConfig ParseText(std::string text) {
  return ParseFilesForTest({{"c", std::move(text)}});
}

inline std::vector<std::string> Strings(const std::vector<ConfigError>& errors) {
  std::vector<std::string> strings;
  strings.reserve(errors.size());
  for (const ConfigError& error : errors) strings.push_back(error.ToString());
  return strings;
}

}  // namespace proxyd
