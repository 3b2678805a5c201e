// SPDX-License-Identifier: Apache-2.0
#include "policy/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "support/allocation_count.h"
#include "support/policy_builder.h"

namespace proxyd {
namespace {

using namespace test;  // NOLINT: the words of these tests
using testing::ElementsAre;

RuleConfig For(uid_t uid, RuleConfig rule) {
  rule.users = Ids({uid});
  return rule;
}
RuleConfig With(std::map<std::string, std::string> metadata, RuleConfig rule) {
  rule.metadata = std::move(metadata);
  return rule;
}

// Returns the verdict for uid 1000 on listener 0.
Verdict Check(const Config& config, const ttrpc::RequestView& request) {
  const Policy policy(config, kOverflow);
  return test::Check(policy, policy.Admit(0, Peer(1000)), request);
}
bool Admitted(const Config& config, const Identity& identity = Peer(1000)) {
  return Policy(config, kOverflow).Admit(0, identity).admitted();
}

TEST(PolicyTest, NoRulesAdmitNobodyAndAllowNothing) {
  const Config config = ConfigOf({});
  EXPECT_FALSE(Admitted(config));
  const Verdict verdict = Check(config, Call("/s/M"));
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.rule, std::nullopt);
}

TEST(PolicyTest, DeniesByDefaultWhatNoRuleNames) {
  const Config config = ConfigOf({Allow({"/s/M"})});
  EXPECT_TRUE(Check(config, Call("/s/M")).allowed);
  EXPECT_EQ(Check(config, Call("/s/M")).rule, 0U);
  for (std::string_view method : {"/s/N", "/t/M", "/s/MM", "/s/m", "/M/s"}) {
    EXPECT_FALSE(Check(config, Call(method)).allowed) << method;
    EXPECT_EQ(Check(config, Call(method)).rule, std::nullopt) << method;
  }
}

TEST(PolicyTest, SaysWhetherTheMetadataHadAPart) {
  const Config plain = ConfigOf({Deny({"/s/N"}), Allow({"/s/M"})});
  EXPECT_TRUE(Check(plain, Call("/s/M")).by_names_alone);
  // Missing metadata matters as well, since another request might have it.
  const Config asked = ConfigOf({With({{"k", "v"}}, Deny({"/s/M"})), Allow({"/s/*"})});
  EXPECT_TRUE(Check(asked, Call("/s/M")).allowed);
  EXPECT_FALSE(Check(asked, Call("/s/M")).by_names_alone);
  EXPECT_TRUE(Check(asked, Call("/s/N")).by_names_alone);
  const Config other = ConfigOf({For(7, With({{"k", "v"}}, Deny({"/s/M"}))), Allow({"/s/M"})});
  EXPECT_TRUE(Check(other, Call("/s/M")).by_names_alone) << "the rule is for another user";
}

TEST(PolicyTest, FirstMatchWinsWhereverItIsIndexed) {
  const std::vector<std::string_view> patterns = {"/s/M", "/s/*", "/*/M", "/*/*", "/s*/M*"};
  for (std::string_view first : patterns) {
    for (std::string_view second : patterns) {
      const Verdict denied = Check(ConfigOf({Deny({first}), Allow({second})}), Call("/s/M"));
      EXPECT_FALSE(denied.allowed) << first << " " << second;
      EXPECT_EQ(denied.rule, 0U);
      const Verdict allowed = Check(ConfigOf({Allow({first}), Deny({second})}), Call("/s/M"));
      EXPECT_TRUE(allowed.allowed) << first << " " << second;
      EXPECT_EQ(allowed.rule, 0U);
    }
  }
}

TEST(PolicyTest, RulesOfOthersAreSkipped) {
  const Config config = ConfigOf({For(5, Deny({"/s/M"})), For(1000, Allow({"/s/M"}))});
  EXPECT_EQ(Check(config, Call("/s/M")).rule, 1U);
}

TEST(PolicyTest, RulesOfOtherListenersAreSkipped) {
  RuleConfig elsewhere = Allow({"/s/M"});
  elsewhere.listeners = {1};
  RuleConfig everywhere = Allow({"/t/M"});
  everywhere.listeners = {0, 1};
  const Config config = ConfigOf({elsewhere, everywhere});
  const Policy policy(config, kOverflow);
  EXPECT_FALSE(test::Check(policy, policy.Admit(0, Peer(1000)), Call("/s/M")).allowed);
  EXPECT_EQ(test::Check(policy, policy.Admit(1, Peer(1000)), Call("/s/M")).rule, 0U);
  EXPECT_EQ(test::Check(policy, policy.Admit(0, Peer(1000)), Call("/t/M")).rule, 1U);
}

TEST(PolicyTest, DenyWithoutMethodsIsForEveryMethod) {
  const Config config = ConfigOf({Allow({"/s/M"}), Deny({}), Allow({"/*/*"})});
  EXPECT_EQ(Check(config, Call("/s/M")).rule, 0U);
  EXPECT_EQ(Check(config, Call("/s/N")).rule, 1U);
  EXPECT_FALSE(Check(config, Call("/s/N")).allowed);
}

TEST(PolicyTest, AllowWithoutMethodsOrWithoutUsersAllowsNothing) {
  RuleConfig nobody = Allow({"/*/*"});
  nobody.users.reset();
  const Config config = ConfigOf({Allow({}), nobody, Allow({"/x/Y"})});
  EXPECT_EQ(Check(config, Call("/s/M")).rule, std::nullopt);
  EXPECT_FALSE(Admitted(ConfigOf({Allow({}), nobody})));
}

TEST(PolicyTest, MetadataThatDoesNotHoldGoesOnToTheNextRule) {
  const Config config =
      ConfigOf({With({{"ns", "k8s.io"}}, Deny({"/s/*"})), With({{"ns", "moby"}}, Allow({"/s/M"}))});
  EXPECT_EQ(Check(config, Call("/s/M", {{"ns", "k8s.io"}})).rule, 0U);
  EXPECT_EQ(Check(config, Call("/s/M", {{"ns", "moby"}})).rule, 1U);
  EXPECT_EQ(Check(config, Call("/s/M", {{"ns", "other"}})).rule, std::nullopt);
  EXPECT_EQ(Check(config, Call("/s/M")).rule, std::nullopt);
}

TEST(PolicyTest, ShadowRulesAreRecordedInOrderAndDecideNothing) {
  const Config config = ConfigOf({Shadow(Allow({"/s/M", "/s/*", "/*/*"})), Shadow(For(5, Deny({}))),
                                  Shadow(Deny({"/*/M"})), Allow({"/s/M"}), Shadow(Deny({}))});
  const Verdict verdict = Check(config, Call("/s/M"));
  EXPECT_TRUE(verdict.allowed);
  EXPECT_EQ(verdict.rule, 3U);
  EXPECT_THAT(verdict.shadows, ElementsAre(0, 2));
  const Verdict by_default = Check(config, Call("/s/N"));
  EXPECT_FALSE(by_default.allowed);
  EXPECT_EQ(by_default.rule, std::nullopt);
  EXPECT_THAT(by_default.shadows, ElementsAre(0, 4));
}

TEST(PolicyTest, ShadowAllowAdmitsNobody) {
  EXPECT_FALSE(Admitted(ConfigOf({Shadow(Allow({"/*/*"}))})));
}

TEST(PolicyTest, ShadowDenyKeepsNobodyOut) {
  EXPECT_TRUE(Admitted(ConfigOf({Shadow(Deny({})), Allow({"/s/M"})})));
}

TEST(PolicyTest, AdmitsWhomAnAllowRuleFits) {
  const Config config = ConfigOf({For(1000, Allow({"/s/M"}))});
  EXPECT_TRUE(Admitted(config, Peer(1000)));
  EXPECT_FALSE(Admitted(config, Peer(1001)));
  const Policy policy(config, kOverflow);
  EXPECT_FALSE(policy.Admit(1, Peer(1000)).admitted());
}

TEST(PolicyTest, MetadataConditionsDoNotKeepAPeerOut) {
  EXPECT_TRUE(Admitted(ConfigOf({With({{"ns", "k8s.io"}}, Allow({"/s/M"}))})));
}

TEST(PolicyTest, AllowBehindADenyOfEverythingAdmitsNobody) {
  EXPECT_FALSE(Admitted(ConfigOf({Deny({}), Allow({"/*/*"})})));
  EXPECT_FALSE(Admitted(ConfigOf({Deny({"/*/*"}), Allow({"/s/M"})})));
  EXPECT_FALSE(Admitted(ConfigOf({For(1000, Deny({"/s/*"})), Allow({"/s/M", "/s/N"})})));
  EXPECT_FALSE(Admitted(ConfigOf({Deny({"/s/M"}), Deny({"/s/N"}), Allow({"/s/M", "/s/N"})})));
}

TEST(PolicyTest, AllowBehindADenyOfLessAdmits) {
  EXPECT_TRUE(Admitted(ConfigOf({For(5, Deny({})), Allow({"/*/*"})})));
  EXPECT_TRUE(Admitted(ConfigOf({Deny({"/s/M"}), Allow({"/s/M", "/s/N"})})));
  EXPECT_TRUE(Admitted(ConfigOf({With({{"ns", "a"}}, Deny({})), Allow({"/s/M"})})));
  EXPECT_TRUE(Admitted(ConfigOf({Allow({"/s/M"}), Deny({}), Allow({"/t/M"})})));
}

TEST(PolicyTest, IdentityOfMinusOneIsNotAdmittedAndAllowedNothing) {
  RuleConfig rule = Allow({"/*/*"});
  rule.users = IdSet{.any = true, .exact = {static_cast<uid_t>(-1)}, .ranges = {}};
  const Config config = ConfigOf({rule});
  const Policy policy(config, kOverflow);
  for (const Identity& identity :
       {Peer(static_cast<uid_t>(-1), 0), Peer(0, static_cast<gid_t>(-1))}) {
    const Admission admission = policy.Admit(0, identity);
    EXPECT_FALSE(admission.admitted());
    EXPECT_FALSE(test::Check(policy, admission, Call("/s/M")).allowed);
  }
}

TEST(PolicyTest, UnmappedPeerIsNotAdmittedByStar) {
  EXPECT_FALSE(Admitted(ConfigOf({Allow({"/*/*"})}), Peer(kOverflow.uid)));
  EXPECT_TRUE(Admitted(ConfigOf({For(kOverflow.uid, Allow({"/*/*"}))}), Peer(kOverflow.uid)));
}

TEST(PolicyTest, GuardedMetadataMustAppearOnceAndInLowerCase) {
  // The keys are guarded by a rule for another user, and by a rule that is not enforced.
  const Config config = ConfigOf({For(5, With({{"ns", "a"}}, Deny({"/x/Y"}))),
                                  Shadow(With({{"team", "b"}}, Deny({}))), Allow({"/*/*"})});
  const Policy policy(config, kOverflow);
  const Admission admission = policy.Admit(0, Peer(1000));
  const auto check = [&](std::vector<ttrpc::MetadataEntry> metadata) {
    GuardedValues values;
    return policy.CheckGuardedMetadata(admission, metadata, &values);
  };
  const auto refusal = [](const std::string& key) {
    return ttrpc::Status(ttrpc::StatusCode::kInvalidArgument,
                         "metadata " + key + " must appear once and in lower case");
  };
  EXPECT_TRUE(check({}).ok());
  EXPECT_TRUE(check({{"ns", "x"}, {"team", "y"}}).ok());
  EXPECT_TRUE(check({{"other", "x"}, {"Other", "y"}, {"other", "x"}, {"nsx", ""}, {"n", ""}}).ok());
  EXPECT_EQ(check({{"ns", "x"}, {"ns", "x"}}), refusal("ns"));
  EXPECT_EQ(check({{"ns", "x"}, {"NS", "x"}}), refusal("ns"));
  EXPECT_EQ(check({{"Ns", "x"}}), refusal("ns"));
  EXPECT_EQ(check({{"a", ""}, {"tEAM", "x"}}), refusal("team"));
  GuardedValues values;
  const std::vector<ttrpc::MetadataEntry> elsewhere = {{"NS", "x"}};
  EXPECT_TRUE(policy.CheckGuardedMetadata(policy.Admit(1, Peer(1000)), elsewhere, &values).ok());
}

TEST(PolicyTest, MoreRulesThanAWordHasBits) {
  for (size_t before : {62U, 63U, 64U, 65U, 127U, 128U, 300U}) {
    std::vector<RuleConfig> rules(before, For(5, Deny({"/s/M"})));
    rules.push_back(For(1000, Allow({"/s/M"})));
    const Config config = ConfigOf(std::move(rules));
    EXPECT_EQ(Check(config, Call("/s/M")).rule, before);
    EXPECT_TRUE(Admitted(config));
  }
}

TEST(PolicyTest, CheckAllocatesNothing) {
  const Config config = ConfigOf({Allow({"/s/M"}), Deny({"/s/*"}), Deny({"/*/x*"}), Deny({})});
  const Policy policy(config, kOverflow);
  const ttrpc::RequestView allowed = Call("/s/M");
  const ttrpc::RequestView denied = Call("/t/N");
  const size_t before = AllocationCount();
  ASSERT_GT(before, 0U) << "allocations are not counted";
  const Admission admission = policy.Admit(0, Peer(1000));
  const bool first = test::Check(policy, admission, allowed).allowed;
  const bool second = test::Check(policy, admission, denied).allowed;
  const size_t after = AllocationCount();
  EXPECT_TRUE(first);
  EXPECT_FALSE(second);
  EXPECT_EQ(after, before);
}

// Decides a call, and returns whether the verdict came from memory.
bool FromMemory(const Policy& policy, Admission* admission, const ttrpc::RequestView& request) {
  GuardedValues values;
  EXPECT_TRUE(policy.CheckGuardedMetadata(*admission, request.metadata, &values).ok());
  const bool from_memory = admission->Recall(request) != nullptr;
  EXPECT_EQ(policy.Decide(admission, request, values, nullptr).rule,
            policy.Check(*admission, request, values, nullptr).rule);
  return from_memory;
}

TEST(PolicyTest, TheMethodAllowedLastIsRemembered) {
  const Config config = ConfigOf({Allow({"/s/M", "/s/N"})});
  const Policy policy(config, kOverflow);
  Admission admission = policy.Admit(0, Peer(1000));
  EXPECT_FALSE(FromMemory(policy, &admission, Call("/s/M")));
  EXPECT_TRUE(FromMemory(policy, &admission, Call("/s/M")));
  EXPECT_TRUE(FromMemory(policy, &admission, Call("/s/M", {{"any", "metadata"}})));
  EXPECT_FALSE(FromMemory(policy, &admission, Call("/s/N")));
  EXPECT_FALSE(FromMemory(policy, &admission, Call("/s/M"))) << "N has replaced it";
  EXPECT_FALSE(FromMemory(policy, &admission, Call("/t/M"))) << "a name of another service";
}

TEST(PolicyTest, NoOtherVerdictIsRememberedNorForgetsThatOne) {
  const Config config =
      ConfigOf({With({{"ns", "a"}}, Deny({"/s/Asked"})), Shadow(Deny({"/s/Shadowed"})),
                Deny({"/s/Denied"}), Allow({"/s/*"})});
  const Policy policy(config, kOverflow);
  Admission admission = policy.Admit(0, Peer(1000));
  EXPECT_FALSE(FromMemory(policy, &admission, Call("/s/M")));
  for (const char* method : {"/s/Asked", "/s/Shadowed", "/s/Denied", "/t/None"}) {
    EXPECT_FALSE(FromMemory(policy, &admission, Call(method))) << method;
    EXPECT_FALSE(FromMemory(policy, &admission, Call(method))) << method;
  }
  EXPECT_TRUE(FromMemory(policy, &admission, Call("/s/M")));
}

// A peer gets a new admission when the configuration is reloaded.
TEST(PolicyTest, ANewAdmissionForgets) {
  const Config before = ConfigOf({Allow({"/s/M"})});
  const Config after = ConfigOf({Deny({"/s/M"}), Allow({"/s/N"})});
  const Policy old_policy(before, kOverflow);
  const Policy new_policy(after, kOverflow);
  Admission admission = old_policy.Admit(0, Peer(1000));
  FromMemory(old_policy, &admission, Call("/s/M"));
  ASSERT_TRUE(admission.Recall(Call("/s/M")));
  admission = new_policy.Admit(0, Peer(1000));
  EXPECT_FALSE(admission.Recall(Call("/s/M")));
  EXPECT_FALSE(new_policy.Decide(&admission, Call("/s/M"), {}, nullptr).allowed);
}

TEST(PolicyTest, DecidingFromMemoryAllocatesNothing) {
  const Config config = ConfigOf({Allow({"/a.long.name.of.a.service.*/*"})});
  const Policy policy(config, kOverflow);
  const ttrpc::RequestView longer = Call("/a.long.name.of.a.service.A/AndALongNameOfAMethodToo");
  const ttrpc::RequestView shorter = Call("/a.long.name.of.a.service.A/AndALongNameOfAMethod");
  const GuardedValues values;
  Admission admission = policy.Admit(0, Peer(1000));
  ASSERT_TRUE(policy.Decide(&admission, longer, values, nullptr).allowed);
  const size_t before = AllocationCount();
  bool allowed = true;
  for (int i = 0; i < 3; ++i) {
    allowed &= policy.Decide(&admission, longer, values, nullptr).allowed;
    allowed &= policy.Decide(&admission, shorter, values, nullptr).allowed;
    allowed &= policy.Decide(&admission, shorter, values, nullptr).allowed;
  }
  EXPECT_EQ(AllocationCount(), before);
  EXPECT_TRUE(allowed);
}

}  // namespace
}  // namespace proxyd
