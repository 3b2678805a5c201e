// SPDX-License-Identifier: Apache-2.0
//
// Tests that the configuration files of the daemon and the examples of the README are correct.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "policy/lint.h"
#include "testing.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;

constexpr OverflowIds kOverflow = {.uid = 65534, .gid = 65534};
const std::filesystem::path kSources = SOURCE_FOLDER;
const std::filesystem::path kFolder = kSources / "config";

// Adds the groups that the samples name.
class NamesOfTheSamples : public FakeNames {
 public:
  std::optional<gid_t> Group(const std::string& name) override {
    static const std::map<std::string, gid_t> kGroups = {
        {"prometheus", 989}, {"containerd-debug", 990}, {"team-a", 991}, {"ttrpc-proxy", 992}};
    const auto found = kGroups.find(name);
    return found == kGroups.end() ? FakeNames::Group(name) : std::optional(found->second);
  }
};

std::string Read(const std::filesystem::path& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.is_open()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

// Uncomments each line that begins with `#` and no space.
std::string Uncommented(const std::string& text) {
  std::istringstream in(text);
  std::string uncommented;
  for (std::string line; std::getline(in, line);) {
    const bool example = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    uncommented.append(example ? line.substr(1) : line) += '\n';
  }
  return uncommented;
}

// Returns each block of TOML in a Markdown text.
std::vector<std::string> TomlBlocks(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> blocks;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line == "```toml") {
      inside = true;
      blocks.emplace_back();
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      blocks.back().append(line) += '\n';
    }
  }
  return blocks;
}

// Returns the samples by their file names.
std::map<std::string, std::string> Samples() {
  std::map<std::string, std::string> samples;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder / "examples"))
    samples[entry.path().filename()] = Read(entry.path());
  return samples;
}

// Returns the first word of each line that is not a comment: keys, and headers of tables. The names
// of sets of methods are left out, because PrintConfig() also has the built-in sets that are used.
std::set<std::string> Keys(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> keys;
  bool sets = false;
  for (std::string line; std::getline(in, line);) {
    const std::string word = line.substr(0, line.find(' '));
    if (word.empty() || word[0] == '#') continue;
    if (word[0] == '[') sets = word == "[method_sets]";
    if (word[0] == '[' || !sets) keys.insert(word);
  }
  return keys;
}

TEST(ConfigExamples, TheDefaultDeniesEverything) {
  const LoadedConfig loaded = ParseText(Read(kFolder / "config.toml"));
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_THAT(loaded.config->rules, IsEmpty());
  EXPECT_THAT(Strings(Lint(*loaded.config, kOverflow)),
              ElementsAre("c: warning: there is no [[listener]], so nothing is served; add one"));
}

// The commented keys before the admin service must show the defaults.
TEST(ConfigExamples, TheDefaultSaysTheDefaults) {
  const std::string text = Read(kFolder / "config.toml");
  EXPECT_EQ(PrintConfig(*ParseText(text).config), PrintConfig(*ParseText("[admin]").config));
  const std::string sections = Uncommented(text.substr(0, text.find("\n[admin]")));
  const LoadedConfig loaded = ParseText(sections);
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_EQ(PrintConfig(*loaded.config), PrintConfig(*ParseText("").config));
  // No key is missing.
  EXPECT_THAT(Keys(sections), IsSupersetOf(Keys(PrintConfig(*ParseText("").config))));
}

// A key that the default file set could not be set in another file.
TEST(ConfigExamples, AFileBesideTheDefaultMaySetEachKey) {
  const LoadedConfig loaded = ParseFilesForTest(
      {{"c", Read(kFolder / "config.toml")},
       {"conf.d/own.toml", PrintConfig(*ParseText("[admin]\n[metrics]").config)}});
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
}

TEST(ConfigExamples, TheDefaultHasAnAdminServiceForRoot) {
  const LoadedConfig loaded = ParseText(Read(kFolder / "config.toml"));
  ASSERT_TRUE(loaded.config.has_value());
  ASSERT_TRUE(loaded.config->admin.has_value());
  EXPECT_EQ(loaded.config->admin->access.mode, 0600U);
  EXPECT_THAT(loaded.config->admin->users.exact, ElementsAre(0U));
}

TEST(ConfigExamples, WhatTheDefaultHasCommentedOutIsCorrect) {
  const LoadedConfig loaded = ParseText(Uncommented(Read(kFolder / "config.toml")));
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_EQ(loaded.config->listeners.size(), 1U);
  EXPECT_EQ(loaded.config->rules.size(), 1U);
  EXPECT_THAT(Strings(Lint(*loaded.config, kOverflow)), IsEmpty());
}

TEST(ConfigExamples, TheDefaultShowsEveryKey) {
  const std::string shown = Uncommented(Read(kFolder / "config.toml"));
  const LoadedConfig loaded = ParseText(shown);
  ASSERT_TRUE(loaded.config.has_value());
  // These are all keys, since the example sets every optional key.
  const std::set<std::string> printed = Keys(PrintConfig(*loaded.config));
  EXPECT_THAT(printed, IsSupersetOf({"drain_timeout", "owner", "[[rule]]", "audit", "discover",
                                     "state", "annotations", "[method_sets]"}));
  EXPECT_THAT(Keys(shown), IsSupersetOf(printed));
}

TEST(ConfigExamples, EachIsCorrectAndWithoutWarnings) {
  NamesOfTheSamples names;
  for (const auto& [name, text] : Samples()) {
    SCOPED_TRACE(name);
    const LoadedConfig loaded = ParseConfig({{name, text}}, names);
    EXPECT_THAT(Strings(loaded.errors), IsEmpty());
    ASSERT_TRUE(loaded.config.has_value());
    EXPECT_THAT(Strings(Lint(*loaded.config, kOverflow)), IsEmpty());
  }
  EXPECT_EQ(Samples().size(), 8U);
}

// Users copy several of them into conf.d.
TEST(ConfigExamples, AllWorkTogetherBesideTheDefault) {
  std::vector<ConfigFile> files = {{"c", Read(kFolder / "config.toml")}};
  for (const auto& [name, text] : Samples()) files.push_back({"conf.d/" + name, text});
  files.push_back({"conf.d/shims.toml", TomlBlocks(Read(kSources / "README.md")).at(0)});
  NamesOfTheSamples names;
  const LoadedConfig loaded = ParseConfig(files, names);
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_THAT(Strings(Lint(*loaded.config, kOverflow)), IsEmpty());
}

// A rule that denies Shutdown to containerd's user, too, would leave shims behind. The samples need
// no deny rule, since what no rule allows is denied.
TEST(ConfigExamples, NoneHasAnEnforcedDenyRule) {
  NamesOfTheSamples names;
  for (const auto& [name, text] : Samples()) {
    SCOPED_TRACE(name);
    const LoadedConfig loaded = ParseConfig({{name, text}}, names);
    ASSERT_TRUE(loaded.config.has_value());
    for (const RuleConfig& rule : loaded.config->rules)
      EXPECT_FALSE(rule.action == RuleConfig::Action::kDeny && rule.enforce) << rule.name;
  }
}

// A shim carries these out as root, so a user who may call them can become root.
TEST(ConfigExamples, NoneAllowsUsersToBecomeRoot) {
  for (const auto& [name, text] : Samples()) {
    for (const char* words : {"@containerd-task", "@containerd/Exec", "@containerd/Create",
                              "@containerd/Update", "\"/*/*\"", ".Task/"})
      EXPECT_EQ(text.find(words), text.npos) << name << ": " << words;
  }
}

TEST(ConfigExamples, TheReadmeHasOneOfAtMostTwentyLines) {
  const std::vector<std::string> blocks = TomlBlocks(Read(kSources / "README.md"));
  ASSERT_EQ(blocks.size(), 1U);
  EXPECT_LE(std::count(blocks[0].begin(), blocks[0].end(), '\n'), 20);
  const LoadedConfig loaded = ParseText(blocks[0]);
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_THAT(Strings(Lint(*loaded.config, kOverflow)), IsEmpty());
}

// The README says that its file goes into conf.d.
TEST(ConfigExamples, TheOneInTheReadmeWorksBesideTheDefault) {
  const std::vector<std::string> blocks = TomlBlocks(Read(kSources / "README.md"));
  ASSERT_EQ(blocks.size(), 1U);
  const LoadedConfig loaded =
      ParseFilesForTest({{"c", Read(kFolder / "config.toml")}, {"conf.d/shims.toml", blocks[0]}});
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
}

}  // namespace
}  // namespace proxyd
