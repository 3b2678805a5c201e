// SPDX-License-Identifier: Apache-2.0
//
// Tests Differences(), which describes on one line what a reload changes.
#include "config/differences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing.h"

namespace proxyd {
namespace {

std::string Rule(const std::string& name, const std::string& method = "/s/M") {
  return "[[rule]]\nname = \"" + name + "\"\nmethods = [\"" + method + "\"]\naction = \"deny\"\n";
}

std::string Listener(const std::string& name, const std::string& keys = "") {
  return "[[listener]]\nname = \"" + name + "\"\naddress = \"unix:///run/" + name + "\"\n" + keys;
}

std::string Backend(const std::string& name) {
  return "[[backend]]\nname = \"" + name + "\"\naddress = \"unix:///run/b-" + name + "\"\n";
}

struct Row {
  std::string before;
  std::string after;
  std::string line;
};

TEST(DifferencesTest, NamesOneAndCountsMore) {
  const std::string rules = Rule("a") + Rule("b") + Rule("c");
  const std::vector<Row> rows = {
      {rules, rules, "nothing changed"},
      {"", "[log]\nlevel = \"info\"\n", "nothing changed"},
      {Rule("a") + Rule("b"), Rule("a", "/s/N") + Rule("b"), "rule \"a\" changed"},
      {rules + Listener("x"), Rule("a", "/s/N") + Rule("b") + Rule("c", "/s/N"),
       "2 rules changed, listener \"x\" removed"},
      {Rule("a"), rules, "2 rules added"},
      {rules, Rule("b"), "2 rules removed"},
      {rules, Rule("c") + Rule("b") + Rule("a"), "rules reordered"},
      {rules, Rule("d") + Rule("a") + Rule("c"), "rule \"d\" added, rule \"b\" removed"},
      {Listener("x") + Listener("y"), Listener("y") + Listener("x"), "nothing changed"},
      {Listener("x"), Listener("x", "mode = \"0660\"\n") + Backend("z"),
       "listener \"x\" changed, backend \"z\" added"},
      {"[[backend]]\nname = '[[rule]] \"'\naddress = \"unix:///run/b\"\n", "",
       "backend \"[[rule]] \\\"\" removed"},
      {"[limits]\nconnections = 300\n[metrics]\n", "[admin]\n",
       "[limits] changed, [admin] added, [metrics] removed"},
      {"", "[log]\nlevel = \"debug\"\n[audit]\ncalls = \"all\"\n",
       "[log] changed, [audit] changed"},
      {Rule("a", "@s") + "[method_sets]\ns = [\"/s/M\"]\n",
       Rule("a", "@s") + "[method_sets]\ns = [\"/s/N\"]\n", "[method_sets] changed"},
      {Rule("a"), Rule("a", "@nri-plugin"), "rule \"a\" changed, [method_sets] added"},
  };
  for (const Row& row : rows) {
    const LoadedConfig before = ParseText(row.before);
    const LoadedConfig after = ParseText(row.after);
    ASSERT_TRUE(before.config && after.config) << row.line;
    EXPECT_EQ(Differences(*before.config, *after.config), row.line);
  }
}

// The user database gives each name a number.
class Numbered : public NameResolver {
 public:
  explicit Numbered(uint32_t id) : id_(id) {}
  std::optional<uid_t> User(const std::string& name) override { return name == "root" ? 0 : id_; }
  std::optional<gid_t> Group(const std::string& name) override { return User(name); }

 private:
  const uint32_t id_;
};

TEST(DifferencesTest, ANameThatHasAnotherNumberNowIsAChange) {
  const std::string text = Rule("a") + "users = [\"prometheus\"]\n" + Rule("b") +
                           "groups = [\"monitoring\"]\n" + Rule("c") + "users = [\"root\"]\n" +
                           Listener("x", "owner = \"prometheus\"\n") + Backend("y") +
                           "users = [\"prometheus\"]\n" +
                           "[admin]\nusers = [\"prometheus\"]\n[metrics]\ngroup = \"monitoring\"\n";
  Numbered first(990);
  Numbered second(1005);
  const LoadedConfig before = ParseConfig({{"c", text}}, first);
  const LoadedConfig after = ParseConfig({{"c", text}}, second);
  ASSERT_TRUE(before.config && after.config);
  EXPECT_EQ(PrintConfig(*before.config), PrintConfig(*after.config));
  EXPECT_EQ(Differences(*before.config, *after.config),
            "2 rules changed, listener \"x\" changed, backend \"y\" changed, [admin] changed, "
            "[metrics] changed");
  EXPECT_EQ(Differences(*before.config, *before.config), "nothing changed");
}

}  // namespace
}  // namespace proxyd
