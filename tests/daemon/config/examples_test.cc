// SPDX-License-Identifier: Apache-2.0
//
// Tests that the configuration files of the daemon and the examples of the README are correct.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
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

// Returns the first word of each line that is not a comment: keys, and headers of tables.
std::set<std::string> Keys(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> keys;
  for (std::string line; std::getline(in, line);) {
    const std::string word = line.substr(0, line.find(' '));
    if (!word.empty() && word[0] != '#') keys.insert(word);
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
  EXPECT_THAT(printed, IsSupersetOf({"drain_timeout", "owner", "[[rule]]", "audit"}));
  EXPECT_THAT(Keys(shown), IsSupersetOf(printed));
}

TEST(ConfigExamples, EachIsCorrectAndWithoutWarnings) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder / "examples")) {
    SCOPED_TRACE(entry.path());
    const LoadedConfig loaded = ParseText(Read(entry.path()));
    EXPECT_THAT(Strings(loaded.errors), IsEmpty());
    ASSERT_TRUE(loaded.config.has_value());
    EXPECT_THAT(Strings(Lint(*loaded.config, kOverflow)), IsEmpty());
    ++count;
  }
  EXPECT_EQ(count, 4U);
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
