// SPDX-License-Identifier: Apache-2.0
//
// The configurations in the manual pages are valid as they are printed, and --check does not warn
// of those that are complete.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "policy/lint.h"
#include "testing.h"

namespace proxyd {
namespace {

using testing::IsEmpty;

constexpr OverflowIds kIdsWithoutMapping = {.uid = 65534, .gid = 65534};

// Adds the group of the example for nginx.
class NamesOfThePages : public FakeNames {
 public:
  std::optional<gid_t> Group(const std::string& name) override {
    if (name == "www-data") return gid_t{33};
    return FakeNames::Group(name);
  }
};

// Returns the literal displays of the page that begin with a TOML table.
std::vector<std::string> TomlDisplaysOf(const std::string& page) {
  std::ifstream in(std::string(SOURCE_FOLDER) + "/man/" + page);
  EXPECT_TRUE(in.is_open()) << page;
  std::vector<std::string> displays;
  std::string display;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(".Bd -literal")) {
      inside = true;
      display.clear();
    } else if (line == ".Ed") {
      inside = false;
      if (display.starts_with("[")) displays.push_back(display);
    } else if (inside) {
      display.append(line).append("\n");
    }
  }
  return displays;
}

class ManPageExamplesTest : public testing::TestWithParam<const char*> {};

TEST_P(ManPageExamplesTest, AreValidAsPrinted) {
  const std::vector<std::string> displays = TomlDisplaysOf(GetParam());
  EXPECT_FALSE(displays.empty());
  NamesOfThePages names;
  for (const std::string& display : displays) {
    SCOPED_TRACE(display);
    const LoadedConfig loaded = ParseConfig({{"example", display}}, names);
    EXPECT_THAT(Strings(loaded.errors), IsEmpty());
    ASSERT_TRUE(loaded.config.has_value());
    // An example of a section has no listener, of which --check always warns.
    if (loaded.config->listeners.empty()) continue;
    EXPECT_THAT(Strings(Lint(*loaded.config, kIdsWithoutMapping)), IsEmpty());
  }
}

INSTANTIATE_TEST_SUITE_P(Pages, ManPageExamplesTest,
                         testing::Values("ttrpc-proxy.toml.5", "ttrpc-proxyd.8"));

}  // namespace
}  // namespace proxyd
