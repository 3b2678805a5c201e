// SPDX-License-Identifier: Apache-2.0
//
// Tests that a call is counted only under names that a rule of its listener spells out.
#include <gtest/gtest.h>

#include <string>

#include "support/policy_builder.h"

namespace proxyd {
namespace {

using test::Allow;
using test::Call;
using test::Deny;

class LabelsTest : public testing::Test {
 protected:
  LabelsTest() {
    RuleConfig elsewhere = Allow({"/hidden.S/Hidden"});
    elsewhere.listeners = {1};
    config_ = test::ConfigOf({Deny({"/a.S/Kill", "/a.S/Stop*"}), Allow({"/a.S/State", "/b.S/*"}),
                              Allow({"/c.*/Get", "/*/*"}), elsewhere});
  }
  std::string LabelsOf(std::string_view method) {
    const Policy policy(config_, test::kOverflow);
    const Admission admission = policy.Admit(0, test::Peer(1000));
    const MethodLabels labels = policy.LabelsOf(admission, Call(method));
    const Verdict verdict = test::Check(policy, admission, Call(method));
    EXPECT_EQ(verdict.labels.service, labels.service);
    EXPECT_EQ(verdict.labels.method, labels.method);
    return std::string(labels.service).append(" ").append(labels.method);
  }

  Config config_;
};

TEST_F(LabelsTest, WhatIsSpelledOutIsItself) {
  EXPECT_EQ(LabelsOf("/a.S/State"), "a.S State");
  EXPECT_EQ(LabelsOf("/a.S/Kill"), "a.S Kill");
}

TEST_F(LabelsTest, AMethodThatIsNotIsOther) {
  EXPECT_EQ(LabelsOf("/a.S/Stats"), "a.S other");
  EXPECT_EQ(LabelsOf("/a.S/StopAll"), "a.S other");
  EXPECT_EQ(LabelsOf("/b.S/Anything"), "b.S other");
}

TEST_F(LabelsTest, AServiceThatIsNotIsOtherWithWhateverMethod) {
  EXPECT_EQ(LabelsOf("/c.S/Get"), "other other");
  EXPECT_EQ(LabelsOf("/x.S/State"), "other other");
  EXPECT_EQ(LabelsOf("/hidden.S/Hidden"), "other other") << "the rule is for another listener";
}

// Labels must be views of the configuration, since views of the request would dangle.
TEST_F(LabelsTest, LabelsAreViewsOfTheConfiguration) {
  const Policy policy(config_, test::kOverflow);
  const Admission admission = policy.Admit(0, test::Peer(1000));
  std::string sent = "/a.S/State";
  const Verdict verdict = test::Check(policy, admission, Call(sent));
  sent.assign(sent.size(), '?');
  EXPECT_EQ(verdict.labels.service, "a.S");
  EXPECT_EQ(verdict.labels.method, "State");
}

}  // namespace
}  // namespace proxyd
