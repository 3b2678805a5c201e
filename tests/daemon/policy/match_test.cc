// SPDX-License-Identifier: Apache-2.0
#include "policy/match.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/policy_builder.h"

namespace proxyd {
namespace {

using namespace test;  // NOLINT: the words of these tests

bool Fits(const RuleConfig& rule, const Identity& identity) {
  return FitsIdentity(rule, identity, kOverflow);
}

RuleConfig AllowUsers(const IdSet& users) {
  RuleConfig rule = Allow({"/*/*"});
  rule.users = users;
  return rule;
}
RuleConfig AllowGroups(const IdSet& groups) {
  RuleConfig rule = Allow({"/*/*"});
  rule.users.reset();
  rule.groups = groups;
  return rule;
}
RuleConfig AsDeny(RuleConfig rule) {
  rule.action = RuleConfig::Action::kDeny;
  return rule;
}

// Implements the definition in the simplest way.
bool MatchNaively(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] != '*') {
    return !text.empty() && text[0] == pattern[0] &&
           MatchNaively(pattern.substr(1), text.substr(1));
  }
  if (MatchNaively(pattern.substr(1), text)) return true;
  return !text.empty() && text[0] != '/' && MatchNaively(pattern, text.substr(1));
}

// Returns all strings over `alphabet` with at most `length` characters.
std::vector<std::string> AllStrings(std::string_view alphabet, size_t length) {
  std::vector<std::string> all = {""};
  for (size_t begin = 0, round = 0; round < length; ++round) {
    const size_t end = all.size();
    for (; begin < end; ++begin) {
      for (char c : alphabet) all.push_back(all[begin] + c);
    }
  }
  return all;
}

TEST(MatchPatternTest, EqualsTheDefinitionOnAllShortStrings) {
  const std::vector<std::string> patterns = AllStrings("ab*/", 5);
  const std::vector<std::string> texts = AllStrings("ab/", 5);
  for (const std::string& pattern : patterns) {
    for (const std::string& text : texts) {
      ASSERT_EQ(MatchPattern(pattern, text), MatchNaively(pattern, text)) << pattern << " " << text;
    }
  }
}

TEST(MatchPatternTest, MatchesWholeTextOnly) {
  EXPECT_TRUE(MatchPattern("grpc.health.v1.*", "grpc.health.v1.Health"));
  EXPECT_TRUE(MatchPattern("grpc.health.v1.*", "grpc.health.v1."));
  EXPECT_FALSE(MatchPattern("grpc.health.v1.*", "xgrpc.health.v1.Health"));
  EXPECT_FALSE(MatchPattern("State", "States"));
  EXPECT_FALSE(MatchPattern("State", "state"));
  EXPECT_FALSE(MatchPattern("a.c", "abc"));
}

TEST(MatchPatternTest, ManyStarsDoNotExplode) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(MatchPattern(pattern + "b", std::string(256, 'a')));
  EXPECT_TRUE(MatchPattern(pattern, std::string(256, 'a')));
}

TEST(FitsIdentityTest, UsersByNumberRangeAndStar) {
  EXPECT_TRUE(Fits(AllowUsers(Ids({5, 1000})), Peer(1000)));
  EXPECT_FALSE(Fits(AllowUsers(Ids({5, 1000})), Peer(1001)));
  EXPECT_TRUE(Fits(AllowUsers(Range(10, 12)), Peer(10)));
  EXPECT_TRUE(Fits(AllowUsers(Range(10, 12)), Peer(12)));
  EXPECT_FALSE(Fits(AllowUsers(Range(10, 12)), Peer(9)));
  EXPECT_FALSE(Fits(AllowUsers(Range(10, 12)), Peer(13)));
  EXPECT_TRUE(Fits(AllowUsers(Any()), Peer(0)));
  EXPECT_TRUE(Fits(AllowUsers(Any()), Peer(100000)));
}

TEST(FitsIdentityTest, GroupsEffectiveOrSupplementary) {
  const std::vector<gid_t> groups = {30, 40};
  EXPECT_TRUE(Fits(AllowGroups(Ids({20})), Peer(1, 20, groups)));
  EXPECT_TRUE(Fits(AllowGroups(Ids({40})), Peer(1, 20, groups)));
  EXPECT_TRUE(Fits(AllowGroups(Range(35, 45)), Peer(1, 20, groups)));
  EXPECT_FALSE(Fits(AllowGroups(Ids({50})), Peer(1, 20, groups)));
  EXPECT_FALSE(Fits(AllowGroups(Ids({1})), Peer(1, 20, groups)));
}

TEST(FitsIdentityTest, UsersAndGroupsMustBothFit) {
  RuleConfig rule = AllowUsers(Ids({1000}));
  rule.groups = Ids({20});
  for (const RuleConfig& either : {rule, AsDeny(rule)}) {
    EXPECT_TRUE(Fits(either, Peer(1000, 20)));
    EXPECT_FALSE(Fits(either, Peer(1000, 21)));
    EXPECT_FALSE(Fits(either, Peer(1001, 20)));
  }
}

TEST(FitsIdentityTest, WhoIsLeftOutIsEveryoneForDenyAndNobodyForAllow) {
  RuleConfig rule = Allow({"/*/*"});
  rule.users.reset();
  EXPECT_FALSE(Fits(rule, Peer(0, 0)));
  EXPECT_TRUE(Fits(AsDeny(rule), Peer(0, 0)));
  EXPECT_TRUE(Fits(AsDeny(rule), Peer(kOverflow.uid, kOverflow.gid)));
}

TEST(FitsIdentityTest, EmptyListFitsNobody) {
  EXPECT_FALSE(Fits(AllowUsers({}), Peer(0, 0)));
  EXPECT_FALSE(Fits(AsDeny(AllowGroups({})), Peer(0, 0)));
}

TEST(FitsIdentityTest, AllowMatchesOverflowUidOnlyWrittenOut) {
  const Identity unmapped = Peer(kOverflow.uid, 100);
  EXPECT_FALSE(Fits(AllowUsers(Any()), unmapped));
  EXPECT_FALSE(Fits(AllowUsers(Range(0, 4294967294)), unmapped));
  EXPECT_FALSE(Fits(AllowUsers(Range(kOverflow.uid, kOverflow.uid)), unmapped));
  EXPECT_TRUE(Fits(AllowUsers(Ids({kOverflow.uid})), unmapped));
}

TEST(FitsIdentityTest, AllowMatchesOverflowGidOnlyWrittenOut) {
  const std::vector<gid_t> unmapped_groups = {kOverflow.gid};
  const std::vector<gid_t> one_mapped_group = {kOverflow.gid, 30};
  const Identity unmapped = Peer(1, kOverflow.gid, unmapped_groups);
  EXPECT_FALSE(Fits(AllowGroups(Any()), unmapped));
  EXPECT_FALSE(Fits(AllowGroups(Range(0, 4294967294)), unmapped));
  EXPECT_TRUE(Fits(AllowGroups(Ids({kOverflow.gid})), unmapped));
  EXPECT_TRUE(Fits(AllowGroups(Any()), Peer(1, kOverflow.gid, one_mapped_group)));
  EXPECT_TRUE(Fits(AllowGroups(Range(30, 30)), Peer(1, kOverflow.gid, one_mapped_group)));
}

TEST(FitsIdentityTest, OverflowUidAndGidAreToldApart) {
  EXPECT_TRUE(Fits(AllowUsers(Any()), Peer(kOverflow.gid, 100)));
  EXPECT_TRUE(Fits(AllowGroups(Any()), Peer(1, kOverflow.uid)));
  EXPECT_TRUE(Fits(AllowUsers(Any()), Peer(1, kOverflow.gid)));
}

TEST(FitsIdentityTest, DenyTakesOverflowIdsForTheirNumbers) {
  EXPECT_TRUE(Fits(AsDeny(AllowUsers(Any())), Peer(kOverflow.uid)));
  EXPECT_TRUE(Fits(AsDeny(AllowUsers(Range(60000, 65534))), Peer(kOverflow.uid)));
  EXPECT_FALSE(Fits(AsDeny(AllowUsers(Range(1, 60000))), Peer(kOverflow.uid)));
  EXPECT_TRUE(Fits(AsDeny(AllowGroups(Any())), Peer(1, kOverflow.gid)));
  EXPECT_TRUE(Fits(AsDeny(AllowGroups(Range(60000, 65534))), Peer(1, kOverflow.gid)));
}

TEST(MetadataHoldsTest, WantsEachKeyWithItsExactValue) {
  RuleConfig rule;
  rule.metadata = {{"ns", "k8s.io"}, {"x", ""}};
  const auto holds = [&rule](std::vector<ttrpc::MetadataEntry> metadata) {
    return MetadataHolds(rule, metadata);
  };
  EXPECT_TRUE(holds({{"other", "1"}, {"x", ""}, {"ns", "k8s.io"}}));
  EXPECT_FALSE(holds({}));
  EXPECT_FALSE(holds({{"ns", "k8s.io"}}));
  EXPECT_FALSE(holds({{"ns", "k8s.io"}, {"x", "y"}}));
  EXPECT_FALSE(holds({{"ns", "k8s.io "}, {"x", ""}}));
  EXPECT_FALSE(holds({{"ns", "K8S.io"}, {"x", ""}}));
  EXPECT_FALSE(holds({{"NS", "k8s.io"}, {"x", ""}}));
  EXPECT_TRUE(MetadataHolds(RuleConfig(), {}));
}

bool PartCovers(std::string_view wide, std::string_view narrow) {
  const MethodPattern wide_service = {.service = std::string(wide), .method = "M"};
  const MethodPattern narrow_service = {.service = std::string(narrow), .method = "M"};
  const MethodPattern wide_method = {.service = "s", .method = std::string(wide)};
  const MethodPattern narrow_method = {.service = "s", .method = std::string(narrow)};
  const bool covers = PatternCovers(wide_service, narrow_service);
  EXPECT_EQ(PatternCovers(wide_method, narrow_method), covers);
  return covers;
}

TEST(PatternCoversTest, YesIsCertain) {
  for (const auto& [wide, narrow] :
       {std::pair("*", ""), std::pair("*", "*"), std::pair("*", "abc"), std::pair("a*", "a"),
        std::pair("a*", "ab*c"), std::pair("*c", "a*c"), std::pair("a*c*e", "abcde"),
        std::pair("**", "a"), std::pair("*ab", "aab"), std::pair("", ""),
        std::pair("*a*", "*ba*")}) {
    EXPECT_TRUE(PartCovers(wide, narrow)) << wide << " " << narrow;
  }
}

TEST(PatternCoversTest, NoForWhatIsWiderOrElsewhere) {
  for (const auto& [wide, narrow] :
       {std::pair("", "a"), std::pair("a", "*"), std::pair("a*", "*"), std::pair("a*", "b*"),
        std::pair("a*c", "a*"), std::pair("abc", "ab"), std::pair("ab", "abc"),
        std::pair("*a", "a*"), std::pair("a*b*c", "acb")}) {
    EXPECT_FALSE(PartCovers(wide, narrow)) << wide << " " << narrow;
  }
}

TEST(PatternCoversTest, AStarTakesNoSlash) {
  EXPECT_FALSE(PartCovers("*", "/"));
  EXPECT_FALSE(PartCovers("a*", "a*/b"));
  EXPECT_TRUE(PartCovers("*/*", "a*/b"));
}

// No pattern contains `c`, which represents all other characters that a `*` may match.
TEST(PatternCoversTest, IsInclusionOfAllThatMatches) {
  const std::vector<std::string> patterns = AllStrings("ab*/", 4);
  const std::vector<std::string> texts = AllStrings("abc/", 5);
  std::vector<std::vector<size_t>> matched;  // by pattern, ascending
  for (const std::string& pattern : patterns) {
    std::vector<size_t>& row = matched.emplace_back();
    for (size_t text = 0; text < texts.size(); ++text) {
      if (MatchNaively(pattern, texts[text])) row.push_back(text);
    }
  }
  for (size_t wide = 0; wide < patterns.size(); ++wide) {
    for (size_t narrow = 0; narrow < patterns.size(); ++narrow) {
      ASSERT_EQ(PartCovers(patterns[wide], patterns[narrow]),
                std::includes(matched[wide].begin(), matched[wide].end(), matched[narrow].begin(),
                              matched[narrow].end()))
          << patterns[wide] << " " << patterns[narrow];
    }
  }
}

constexpr auto kAllow = RuleConfig::Action::kAllow;
constexpr auto kDeny = RuleConfig::Action::kDeny;

bool IdsCover(const std::optional<IdSet>& wide, RuleConfig::Action wide_action,
              const std::optional<IdSet>& narrow, RuleConfig::Action narrow_action) {
  return RangesCover(EffectiveIds(wide, wide_action, kOverflow.uid),
                     EffectiveIds(narrow, narrow_action, kOverflow.uid));
}

TEST(IdsCoverTest, RangesThatTouchAreOne) {
  const std::optional<IdSet> wide = IdSet{false, {4}, {{5, 9}, {0, 3}, {2, 2}}};
  const std::optional<IdSet> narrow = IdSet{false, {}, {{0, 9}}};
  EXPECT_TRUE(IdsCover(wide, kAllow, narrow, kAllow));
  const std::optional<IdSet> longer = IdSet{false, {}, {{0, 10}}};
  EXPECT_FALSE(IdsCover(wide, kAllow, longer, kAllow));
}

TEST(IdsCoverTest, NobodyInParticularIsEverybody) {
  const std::optional<IdSet> none;
  const std::optional<IdSet> any = IdSet{true, {}, {}};
  const std::optional<IdSet> any_and_overflow = IdSet{true, {kOverflow.uid}, {}};
  const std::optional<IdSet> one = IdSet{false, {kOverflow.uid}, {}};
  EXPECT_TRUE(IdsCover(none, kDeny, any, kAllow));
  EXPECT_TRUE(IdsCover(any, kDeny, none, kDeny));
  EXPECT_FALSE(IdsCover(any, kAllow, none, kDeny));
  EXPECT_TRUE(IdsCover(any_and_overflow, kAllow, none, kDeny));
  EXPECT_FALSE(IdsCover(any, kAllow, one, kAllow));
  EXPECT_TRUE(IdsCover(any, kDeny, one, kAllow));
}

TEST(IdsCoverTest, TheOverflowIdAtTheEdgeOfARange) {
  const std::optional<IdSet> range = IdSet{false, {}, {{kOverflow.uid, kOverflow.uid + 1}}};
  const std::optional<IdSet> edge = IdSet{false, {kOverflow.uid + 1}, {}};
  EXPECT_TRUE(IdsCover(edge, kAllow, range, kAllow));
  EXPECT_FALSE(IdsCover(edge, kAllow, range, kDeny));
}

// Coverage must be decided by the same ids as the match of a peer.
TEST(EffectiveIdsTest, AreTheIdsThatFit) {
  constexpr uint32_t kIds[] = {
      0, 1, 2, 3, kOverflow.uid - 1, kOverflow.uid, kOverflow.uid + 1, UINT32_MAX - 1};
  Random random(13);  // NOLINT(cert-msc51-cpp,cert-msc32-c): so that a failure can be repeated
  size_t fitting = 0;
  constexpr size_t kRounds = 2000;
  for (size_t round = 0; round < kRounds; ++round) {
    RuleConfig rule = Chance(random, 50) ? Allow({"/s/M"}) : Deny({"/s/M"});
    rule.users = RandomIds(random, kIds, 20);
    const IdRanges effective = EffectiveIds(rule.users, rule.action, kOverflow.uid);
    for (const uint32_t id : kIds) {
      const bool fits = Fits(rule, Peer(id));
      ASSERT_EQ(RangesCover(effective, {{.first = id, .last = id}}), fits) << round << " " << id;
      fitting += fits ? 1 : 0;
    }
  }
  EXPECT_GT(fitting, kRounds);
  EXPECT_LT(fitting, kRounds * (std::size(kIds) - 1));
}

TEST(PatternsMeetTest, SomeMethodMatchesBoth) {
  const auto meet = [](const std::string& a, const std::string& b) {
    const bool both = PatternsMeet({.service = "s", .method = a}, {.service = "s", .method = b});
    EXPECT_EQ(PatternsMeet({.service = b, .method = "M"}, {.service = a, .method = "M"}), both);
    return both;
  };
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{{"M", "M"},
                                                                             {"*", "M"},
                                                                             {"*", "*"},
                                                                             {"Get*", "*Put"},
                                                                             {"a*b", "*"},
                                                                             {"a*", "a"},
                                                                             {"a*c*e", "abcde"},
                                                                             {"**a", "a**"},
                                                                             {"a*b", "ab*"},
                                                                             {"*ab", "a*"}}) {
    EXPECT_TRUE(meet(a, b)) << a << " " << b;
  }
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{
           {"M", "N"}, {"a*", "b*"}, {"*a", "*b"}, {"ab", "a"}, {"a*c", "ab"}, {"a*b", "c*b"}}) {
    EXPECT_FALSE(meet(a, b)) << a << " " << b;
  }
}

TEST(RangesMeetTest, SomeIdIsInBoth) {
  EXPECT_TRUE(RangesMeet({{1, 5}, {9, 9}}, {{6, 9}}));
  EXPECT_TRUE(RangesMeet({{5, 5}}, {{0, 1}, {3, 7}}));
  EXPECT_FALSE(RangesMeet({{1, 5}, {9, 9}}, {{6, 8}, {10, 11}}));
  EXPECT_FALSE(RangesMeet({}, {{0, 1}}));
}

}  // namespace
}  // namespace proxyd
