// SPDX-License-Identifier: Apache-2.0
#include "config/name_pattern.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace proxyd {
namespace {

constexpr NameSubject kDev = {.uid = 2001, .gid = 100, .user = "dev"};
constexpr NameSubject kNobodyKnown = {};

NameMatch MatchName(std::string_view pattern, std::string_view name,
                    const NameSubject& subject = kDev) {
  const auto parsed = NamePattern::Parse(pattern);
  EXPECT_TRUE(parsed) << pattern;
  return parsed ? parsed->Match(name, subject) : NameMatch::kUnknown;
}

void ExpectYes(std::string_view pattern, std::string_view name) {
  EXPECT_EQ(MatchName(pattern, name), NameMatch::kYes) << pattern << " " << name;
}
void ExpectNo(std::string_view pattern, std::string_view name) {
  EXPECT_EQ(MatchName(pattern, name), NameMatch::kNo) << pattern << " " << name;
}

TEST(NamePatternTest, MatchesTheWholeName) {
  ExpectYes("k8s.io", "k8s.io");
  ExpectNo("k8s.io", "k8s.ioo");
  ExpectNo("k8s.io", "k8s.i");
  ExpectNo("k8s.io", "xk8s.io");
  ExpectNo("k8s.io", "k8sxio");
  ExpectNo("a", "");
}

TEST(NamePatternTest, AStarIsAnyRunOfCharactersWithoutASlash) {
  for (const char* name : {"", "a", "a-b", "..."}) ExpectYes("*", name);
  ExpectNo("*", "a/b");
  ExpectYes("team-a-*", "team-a-");
  ExpectYes("team-a-*", "team-a-web");
  ExpectNo("team-a-*", "team-ab-web");
  ExpectYes("*a*b", "xxaxxbab");
  ExpectNo("*a*b", "xa/ab");
  ExpectYes("*/*b", "xa/ab");
  ExpectYes("**a**", "bab");
  ExpectYes("*aab", "aaaab");
  ExpectNo("*aab", "aaaa");
}

TEST(NamePatternTest, ABackslashMakesAStarOrABackslashOrdinary) {
  ExpectYes(R"(a\*b)", "a*b");
  ExpectNo(R"(a\*b)", "axb");
  ExpectYes(R"(\\)", R"(\)");
  ExpectYes(R"(\\*)", R"(\x)");
}

TEST(NamePatternTest, PlaceholdersAreThePeersOwn) {
  ExpectYes("{uid}-*", "2001-web");
  ExpectNo("{uid}-*", "20010-web");
  ExpectNo("{uid}-*", "2002-web");
  ExpectYes("{gid}", "100");
  ExpectYes("x-{user}", "x-dev");
  ExpectNo("x-{user}", "x-dev-ci");
  ExpectYes("*{uid}", "12001");
  ExpectYes("{user}{uid}", "dev2001");
}

TEST(NamePatternTest, AUserNameNeverActsAsAPattern) {
  const NameSubject star = {.uid = 1, .gid = 1, .user = "*{uid}\\"};
  EXPECT_EQ(MatchName("{user}", "other", star), NameMatch::kNo);
  EXPECT_EQ(MatchName("{user}", "*{uid}\\", star), NameMatch::kYes);
  EXPECT_EQ(MatchName("*{user}", "a*{uid}\\", star), NameMatch::kYes);
}

TEST(NamePatternTest, APlaceholderWithoutAValueIsUnknown) {
  for (const char* pattern : {"{uid}", "{gid}-x", "a{user}", "{user}*"}) {
    EXPECT_EQ(MatchName(pattern, "", kNobodyKnown), NameMatch::kUnknown) << pattern;
    EXPECT_EQ(MatchName(pattern, "zz", kNobodyKnown), NameMatch::kUnknown) << pattern;
  }
  EXPECT_EQ(MatchName("a*", "ab", kNobodyKnown), NameMatch::kYes);
  EXPECT_EQ(MatchName("{uid}", "0", {.uid = 0, .gid = 0, .user = {}}), NameMatch::kYes);
  EXPECT_EQ(MatchName("{uid}", "4294967294", {.uid = 4294967294, .gid = 0, .user = {}}),
            NameMatch::kYes);
}

TEST(NamePatternTest, AnythingElseIsRefused) {
  const auto error = [](std::string_view text) {
    const auto parsed = NamePattern::Parse(text);
    return parsed ? std::string() : parsed.error().message();
  };
  EXPECT_EQ(error(""), "use a pattern such as \"team-a-*\" or \"{uid}-*\"");
  for (const char* text : {"{", "}", "{name}", "{uid", "{ uid}", "{{uid}}", "{UID}"}) {
    EXPECT_EQ(error(text), "use braces only in {uid}, {gid} and {user}") << text;
  }
  for (const char* text : {"\\", "a\\", "\\a", "\\{"}) {
    EXPECT_EQ(error(text), "use a backslash only before * or another backslash") << text;
  }
}

TEST(NamePatternTest, KnowsWhatItNeeds) {
  const auto parse = [](std::string_view text) { return NamePattern::Parse(text).value(); };
  EXPECT_TRUE(parse("a-{user}").needs_user());
  EXPECT_FALSE(parse("a-{uid}*{gid}").needs_user());
  EXPECT_TRUE(parse("a-{uid}").has_placeholder());
  EXPECT_TRUE(parse("{gid}").has_placeholder());
  EXPECT_FALSE(parse("a*b").has_placeholder());
  EXPECT_EQ(parse("a\\*{uid}").text(), "a\\*{uid}");
  EXPECT_TRUE(parse("a*") == parse("a*"));
  EXPECT_FALSE(parse("a*") == parse("a**"));
}

TEST(NamePatternTest, ANumberBesideAStarIsOpenEnded) {
  const auto open = [](std::string_view text) {
    return NamePattern::Parse(text).value().number_is_open_ended();
  };
  for (const char* text : {"{uid}*", "*{uid}", "a-{gid}*", "*{gid}-x", "{user}-{uid}*"}) {
    EXPECT_TRUE(open(text)) << text;
  }
  for (const char* text : {"{uid}", "{uid}-*", "*-{gid}", "*-{uid}-*", "{user}*", "*"}) {
    EXPECT_FALSE(open(text)) << text;
  }
}

TEST(NamePatternTest, AUserBeforeAnotherCharacterOfNamesIsOpenEnded) {
  const auto open = [](std::string_view text) {
    return NamePattern::Parse(text).value().user_is_open_ended();
  };
  for (const char* text : {"{user}-*", "{user}*", "a{user}.b", "{user}_", "{user}{uid}"}) {
    EXPECT_TRUE(open(text)) << text;
  }
  for (const char* text : {"{user}", "a-{user}", "{user}:*", "{user}/x", "{uid}-*", "*"}) {
    EXPECT_FALSE(open(text)) << text;
  }
}

}  // namespace
}  // namespace proxyd
