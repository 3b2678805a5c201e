// SPDX-License-Identifier: Apache-2.0
//
// Tests that man/ttrpc-proxy.toml.5 documents each key of the configuration, and no other.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "support/all_matches.h"
#include "testing.h"

namespace proxyd {
namespace {

using ::test::AllMatches;

std::string ReadPage() {
  std::ifstream in(std::string(SOURCE_FOLDER) + "/man/ttrpc-proxy.toml.5");
  EXPECT_TRUE(in.is_open());
  return {std::istreambuf_iterator<char>(in), {}};
}

// Returns the keys that the error message about an unknown key lists.
std::set<std::string> KeysOf(const std::string& table) {
  for (const ConfigError& error : ParseText(table + "\n\"no such key\" = 1\n").errors) {
    if (error.message.starts_with("unknown key \"no such key\" in "))
      return AllMatches(error.message.substr(error.message.find("; use ") + 5),
                        " ([a-z_]+)(?=,| or|$)");
  }
  return {};
}

// Returns the keys under the heading of this table.
std::set<std::string> DocumentedKeysOf(const std::string& page, const std::string& table) {
  const std::string heading = "\n.Ss " + table + "\\&\n";
  const size_t begin = page.find(heading);
  if (begin == std::string::npos) return {};
  const size_t from = begin + heading.size();
  std::set<std::string> keys;
  for (const std::string& item :
       AllMatches(page.substr(from, page.find("\n.Ss ", from) - from), "\n\\.It Ic ([a-z_ ,]+)"))
    keys.merge(AllMatches(item, "([a-z_]+)"));
  return keys;
}

class ManPageTest : public testing::TestWithParam<const char*> {};

TEST_P(ManPageTest, HasEachKeyThatThereIsAndNoOther) {
  std::set<std::string> known = KeysOf(GetParam());
  ASSERT_FALSE(known.empty());
  const std::string page = ReadPage();
  if (GetParam() == std::string("[[listener]]")) {
    // The page refers to [timeouts] for these keys.
    for (const std::string& key : KeysOf("[timeouts]")) EXPECT_EQ(known.erase(key), 1U) << key;
  }
  EXPECT_EQ(DocumentedKeysOf(page, GetParam()), known);
}

// The errors of an empty table name the required keys.
TEST_P(ManPageTest, SaysWhichKeysAreRequired) {
  const std::string table = GetParam();
  std::set<std::string> required;
  for (const ConfigError& error : ParseText(table + "\n").errors) {
    for (const std::string& key : AllMatches(error.message, "\\] has no ([a-z_]+); "))
      required.insert(key);
  }
  const std::string page = ReadPage();
  const size_t begin = page.find("\n.Ss " + table + "\\&\n");
  ASSERT_NE(begin, std::string::npos);
  const std::string section = page.substr(begin, page.find("\n.Ss ", begin + 1) - begin);
  EXPECT_EQ(AllMatches(section, "\n\\.It Ic ([a-z_]+)\nRequired"), required);
}

INSTANTIATE_TEST_SUITE_P(Tables, ManPageTest,
                         testing::Values("[daemon]", "[log]", "[audit]", "[limits]", "[timeouts]",
                                         "[admin]", "[metrics]", "[[listener]]", "[[backend]]",
                                         "[[rule]]"));

}  // namespace
}  // namespace proxyd
