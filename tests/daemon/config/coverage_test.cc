// SPDX-License-Identifier: Apache-2.0
#include "config/coverage.h"

#include <gtest/gtest.h>

namespace proxyd {
namespace {

constexpr auto kAllow = RuleConfig::Action::kAllow;
constexpr auto kDeny = RuleConfig::Action::kDeny;
constexpr uint32_t kOverflow = 65534;

TEST(CoversGlobTest, YesIsCertain) {
  for (const auto& [wide, narrow] :
       {std::pair("*", ""), std::pair("*", "*"), std::pair("*", "abc"), std::pair("a*", "a"),
        std::pair("a*", "ab*c"), std::pair("*c", "a*c"), std::pair("a*c*e", "abcde"),
        std::pair("**", "a"), std::pair("*ab", "aab"), std::pair("", ""),
        std::pair("*a*", "*ba*")}) {
    EXPECT_TRUE(CoversGlob(wide, narrow)) << wide << " " << narrow;
  }
}

TEST(CoversGlobTest, NoForWhatIsWiderOrElsewhere) {
  for (const auto& [wide, narrow] :
       {std::pair("", "a"), std::pair("a", "*"), std::pair("a*", "*"), std::pair("a*", "b*"),
        std::pair("a*c", "a*"), std::pair("abc", "ab"), std::pair("ab", "abc"),
        std::pair("*a", "a*"), std::pair("a*b*c", "acb")}) {
    EXPECT_FALSE(CoversGlob(wide, narrow)) << wide << " " << narrow;
  }
}

TEST(CoversIdsTest, RangesThatTouchAreOne) {
  const std::optional<IdSet> wide = IdSet{false, {4}, {{5, 9}, {0, 3}, {2, 2}}};
  const std::optional<IdSet> narrow = IdSet{false, {}, {{0, 9}}};
  EXPECT_TRUE(CoversIds({wide, kAllow}, {narrow, kAllow}, kOverflow));
  const std::optional<IdSet> longer = IdSet{false, {}, {{0, 10}}};
  EXPECT_FALSE(CoversIds({wide, kAllow}, {longer, kAllow}, kOverflow));
}

TEST(CoversIdsTest, NobodyInParticularIsEverybody) {
  const std::optional<IdSet> none;
  const std::optional<IdSet> any = IdSet{true, {}, {}};
  const std::optional<IdSet> any_and_overflow = IdSet{true, {kOverflow}, {}};
  const std::optional<IdSet> one = IdSet{false, {kOverflow}, {}};
  EXPECT_TRUE(CoversIds({none, kDeny}, {any, kAllow}, kOverflow));
  EXPECT_TRUE(CoversIds({any, kDeny}, {none, kDeny}, kOverflow));
  EXPECT_FALSE(CoversIds({any, kAllow}, {none, kDeny}, kOverflow));
  EXPECT_TRUE(CoversIds({any_and_overflow, kAllow}, {none, kDeny}, kOverflow));
  EXPECT_FALSE(CoversIds({any, kAllow}, {one, kAllow}, kOverflow));
  EXPECT_TRUE(CoversIds({any, kDeny}, {one, kAllow}, kOverflow));
}

TEST(CoversIdsTest, TheOverflowIdAtTheEdgeOfARange) {
  const std::optional<IdSet> range = IdSet{false, {}, {{kOverflow, kOverflow + 1}}};
  const std::optional<IdSet> edge = IdSet{false, {kOverflow + 1}, {}};
  EXPECT_TRUE(CoversIds({edge, kAllow}, {range, kAllow}, kOverflow));
  EXPECT_FALSE(CoversIds({edge, kAllow}, {range, kDeny}, kOverflow));
}

}  // namespace
}  // namespace proxyd
