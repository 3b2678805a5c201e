// SPDX-License-Identifier: Apache-2.0
//
// Tests that a call is counted only under names that a rule of its listener spells out.
#include <gtest/gtest.h>

#include <string>

#include "daemon/config/testing.h"
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

// Sets spell out the same methods as a list would.
TEST(LabelsOfSetsTest, WhatASetSpellsOutIsItself) {
  const LoadedConfig loaded = ParseText(
      "[[listener]]\nname = \"l\"\naddress = \"unix:///l\"\n"
      "[[backend]]\nname = \"b\"\naddress = \"unix:///b\"\n"
      "[[rule]]\nname = \"r\"\nusers = [1000]\naction = \"allow\"\nbackend = \"b\"\n"
      "methods = [\"@containerd-read\", \"@containerd-sandbox\", \"@kata-read\"]\n");
  ASSERT_TRUE(loaded.config.has_value());
  const Policy policy(*loaded.config, test::kOverflow);
  const Admission admission = policy.Admit(0, test::Peer(1000));
  const auto label_of = [&](std::string_view method) {
    const MethodLabels labels = policy.LabelsOf(admission, Call(method));
    return std::string(labels.service).append(" ").append(labels.method);
  };
  EXPECT_EQ(label_of("/containerd.task.v2.Task/State"), "containerd.task.v2.Task State");
  EXPECT_EQ(label_of("/containerd.task.v3.Task/Stats"), "containerd.task.v3.Task Stats");
  EXPECT_EQ(label_of("/containerd.task.v3.Task/Kill"), "containerd.task.v3.Task other");
  EXPECT_EQ(label_of("/containerd.runtime.sandbox.v1.Sandbox/StopSandbox"),
            "containerd.runtime.sandbox.v1.Sandbox StopSandbox");
  EXPECT_EQ(label_of("/containerd.runtime.sandbox.v1.Sandbox/Newer"),
            "containerd.runtime.sandbox.v1.Sandbox other");
  EXPECT_EQ(label_of("/grpc.Health/Check"), "grpc.Health other");
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
