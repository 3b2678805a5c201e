// SPDX-License-Identifier: Apache-2.0
//
// Tests that the system is asked once for each name, however large the configuration is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "testing.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Records the names that it is asked for.
class AskedNames : public NameResolver {
 public:
  std::optional<uid_t> User(const std::string& name) override {
    asked_.push_back("user " + name);
    return names_.User(name);
  }
  std::optional<gid_t> Group(const std::string& name) override {
    asked_.push_back("group " + name);
    return names_.Group(name);
  }
  const std::vector<std::string>& asked() const { return asked_; }

 private:
  FakeNames names_;
  std::vector<std::string> asked_;
};

std::string Rules(size_t count, const std::string& user) {
  std::string text = "[[backend]]\nname = \"b\"\naddress = \"unix:///b\"\n";
  for (size_t i = 0; i < count; ++i) {
    text += "[[rule]]\nname = \"r" + std::to_string(i) + "\"\nusers = [\"" + user +
            "\"]\ngroups = [\"root\"]\nmethods = [\"/s/M\"]\naction = \"allow\"\nbackend = \"b\"\n";
  }
  return text;
}

TEST(ConfigNamesTest, EachIsAskedForOnce) {
  AskedNames names;
  const LoadedConfig loaded = ParseConfig({{"c", Rules(100, "root")}}, names);
  ASSERT_THAT(Strings(loaded.errors), IsEmpty());
  EXPECT_EQ(loaded.config->rules.back().users->exact, std::vector<uint32_t>{0});
  EXPECT_THAT(names.asked(), ElementsAre("user root", "group root"));
}

// Every place still gets an error.
TEST(ConfigNamesTest, OneThatDoesNotExistIsAskedForOnce) {
  AskedNames names;
  const LoadedConfig loaded = ParseConfig({{"c", Rules(100, "rot")}}, names);
  EXPECT_THAT(loaded.errors, SizeIs(100));
  EXPECT_THAT(names.asked(), ElementsAre("user rot", "group root"));
}

// A later load asks again, since the user may have been added.
TEST(ConfigNamesTest, EachLoadAsksAgain) {
  AskedNames names;
  static_cast<void>(ParseConfig({{"c", Rules(1, "rot")}}, names));
  static_cast<void>(ParseConfig({{"c", Rules(1, "rot")}}, names));
  EXPECT_THAT(names.asked(), SizeIs(4));
}

}  // namespace
}  // namespace proxyd
