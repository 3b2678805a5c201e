// SPDX-License-Identifier: Apache-2.0
//
// The workload that a request is about, at a workload's own socket and at one socket for all.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/request_check.h"
#include "proxy/workload_request.h"
#include "support/allocation_count.h"
#include "support/policy_builder.h"
#include "workload_harness.h"

namespace proxyd {
namespace {

RuleConfig ForIds(std::string_view ids, RuleConfig rule) {
  rule.ids.push_back(*NamePattern::Parse(ids));
  return rule;
}

Config WorkloadRules() {
  return test::ConfigOf({
      ForIds("secret-*", test::Deny({"/*/*"})),                                // 0
      ForIds("web-*", test::Allow({"/containerd.task.v3.Task/State"})),        // 1
      test::Allow({"/containerd.task.v3.Task/Stats", "/grpc.health.v1.H/C"}),  // 2
  });
}

class WorkloadCheckTest : public testing::Test {
 protected:
  WorkloadCheckTest() {
    pod_ = test::AddWorkload(&table_, test::WorkloadAt("web-pod", "/run/pod"));
    member_ = test::AddWorkload(&table_, test::WorkloadAt("web-member", "/run/pod", "web-pod"));
    other_ = test::AddWorkload(&table_, test::WorkloadAt("web-other", "/run/other"));
    test::AddWorkload(&table_, test::WorkloadAt("secret-1", "/run/secret"));
  }

  WorkloadScope All() const { return {.table = &table_, .front = nullptr, .named = true}; }
  WorkloadScope At(const Ref<WorkloadState>& front) const {
    return {.table = &table_, .front = front.get(), .named = true};
  }
  Outcome Check(const WorkloadScope& scope, std::string data) {
    data_ = std::move(data);
    Admission admission = snapshot_.policy.Admit(0, test::Peer(1000));
    return CheckRequest({.header = {.length = static_cast<uint32_t>(data_.size()),
                                    .stream_id = 1,
                                    .type = ttrpc::MessageType::kRequest},
                         .data = data_,
                         .id_in_use = false},
                        {.snapshot = snapshot_,
                         .admission = admission,
                         .uid = 1000,
                         .unknown_fields = UnknownFields::kRefuse,
                         .draining = false,
                         .scope = scope},
                        &request_, &guarded_);
  }
  Outcome State(const WorkloadScope& scope, std::string_view id) {
    return Check(scope, test::TaskRequest("State", test::IdPayload(id)));
  }
  static std::string Text(const Outcome& outcome) {
    return std::string(ttrpc::StatusCodeName(outcome.status.code())) + " " +
           outcome.status.message();
  }

  const Snapshot snapshot_{WorkloadRules(), test::kOverflow};
  const std::string denied_ =
      "PERMISSION_DENIED uid 1000 may not call /containerd.task.v3.Task/State";
  WorkloadTable table_;
  Ref<WorkloadState> pod_;
  Ref<WorkloadState> member_;
  Ref<WorkloadState> other_;
  std::string data_;
  ttrpc::RequestView request_;
  GuardedValues guarded_;
};

TEST_F(WorkloadCheckTest, AFrontServesItsOwnWorkload) {
  const Outcome outcome = State(At(other_), "web-other");
  EXPECT_TRUE(outcome.permitted()) << outcome.status;
  EXPECT_EQ(outcome.workload, other_);
  EXPECT_EQ(outcome.workload_name(), "k8s.io/web-other");
}

// The shim of a pod would carry out a call for any of its containers.
TEST_F(WorkloadCheckTest, AFrontServesNoOther) {
  for (const char* id : {"web-pod", "web-member", "web-none", "secret-1", ""}) {
    const Outcome outcome = State(At(other_), id);
    EXPECT_EQ(Text(outcome), denied_) << id;
    EXPECT_EQ(outcome.stage, Stage::kPolicy);
    EXPECT_EQ(outcome.cause().reason, AuditReason::kPayload);
    EXPECT_EQ(outcome.workload_name(), "k8s.io/" + std::string(id)) << "the one that was named";
    EXPECT_EQ(outcome.verdict.rule, std::nullopt);
    EXPECT_FALSE(outcome.verdict.labels.method.empty());
  }
  EXPECT_EQ(Text(State(At(member_), "web-pod")), denied_) << "a member's front is not its pod's";
}

TEST_F(WorkloadCheckTest, ASandboxsFrontServesItsMembers) {
  const Outcome outcome = State(At(pod_), "web-member");
  EXPECT_TRUE(outcome.permitted()) << outcome.status;
  EXPECT_EQ(outcome.workload, member_);
  // A member whose address differs has a shim of its own.
  member_->Set(test::WorkloadAt("web-member", "/run/elsewhere", "web-pod"));
  EXPECT_EQ(Text(State(At(pod_), "web-member")), denied_);
  // One of another namespace is another workload.
  member_->Set(test::WorkloadAt("web-member", "/run/pod", "other-pod"));
  EXPECT_EQ(Text(State(At(pod_), "web-member")), denied_);
}

// A shim that serves several namespaces goes by the request's.
TEST_F(WorkloadCheckTest, AFrontServesNoOtherNamespace) {
  const auto state = [this](const Ref<WorkloadState>& front, const char* name_space) {
    const std::string_view id = front->workload.key.id;
    return Check(At(front), test::TaskRequest("State", test::IdPayload(id), name_space));
  };
  EXPECT_TRUE(state(other_, "").permitted()) << "it may be left out";
  EXPECT_TRUE(state(other_, "k8s.io").permitted());
  const Outcome outcome = state(other_, "default");
  EXPECT_EQ(Text(outcome), denied_);
  EXPECT_EQ(outcome.stage, Stage::kPolicy);
  EXPECT_EQ(outcome.cause().reason, AuditReason::kPayload);
  EXPECT_EQ(outcome.workload_name(), "default/web-other");
  EXPECT_EQ(Text(Check(At(pod_), test::TaskRequest("State", test::IdPayload("web-member"), "x"))),
            denied_);

  ttrpc::RequestView request = test::Call("/grpc.health.v1.H/C");
  const auto health = [&](const WorkloadScope& scope) {
    std::string data(ttrpc::EncodedRequestSize(request), '\0');
    ttrpc::EncodeRequest(request, data.data());
    return Check(scope, data);
  };
  request.metadata = {{.key = kNamespaceMetadata, .value = "default"}};
  EXPECT_EQ(Text(health(At(other_))),
            "PERMISSION_DENIED uid 1000 may not call /grpc.health.v1.H/C");
  const WorkloadScope kata = {.table = &table_, .front = other_.get(), .named = false};
  EXPECT_TRUE(health(kata).permitted()) << "only containerd has namespaces";
  request.metadata.push_back(request.metadata.front());
  EXPECT_EQ(Text(health(At(other_))),
            "INVALID_ARGUMENT metadata containerd-namespace-ttrpc must appear once and in lower "
            "case");
}

TEST_F(WorkloadCheckTest, ARequestThatNamesTwoIsRefusedBeforeThePolicy) {
  const std::string two = test::IdPayload("web-other") + test::IdPayload("secret-1");
  for (const WorkloadScope& scope : {At(other_), All()}) {
    const Outcome outcome = Check(scope, test::TaskRequest("State", two));
    EXPECT_EQ(Text(outcome), "INVALID_ARGUMENT payload cannot be checked: id repeated");
    EXPECT_EQ(outcome.stage, Stage::kPayload);
    EXPECT_EQ(outcome.cause().reason, AuditReason::kPayload);
    EXPECT_FALSE(outcome.verdict.labels.method.empty());
  }
}

TEST_F(WorkloadCheckTest, OtherServicesOfAFrontAreAboutItsWorkload) {
  ttrpc::RequestView request = test::Call("/grpc.health.v1.H/C");
  request.metadata = {{.key = kNamespaceMetadata, .value = "k8s.io"}};
  request.payload = "not a message of containerd's \xff";
  std::string data(ttrpc::EncodedRequestSize(request), '\0');
  ttrpc::EncodeRequest(request, data.data());
  const Outcome outcome = Check(At(other_), data);
  EXPECT_TRUE(outcome.permitted()) << outcome.status;
  EXPECT_EQ(outcome.workload, other_);
  EXPECT_EQ(Text(Check(All(), data)), "UNIMPLEMENTED service grpc.health.v1.H");
}

TEST_F(WorkloadCheckTest, OtherSourcesDoNotLookAtThePayload) {
  const WorkloadScope scope = {.table = &table_, .front = other_.get(), .named = false};
  const Outcome outcome = State(scope, "secret-1");
  EXPECT_TRUE(outcome.permitted()) << outcome.status;
  EXPECT_EQ(outcome.workload, other_) << "the rules compare the front's own";
}

TEST_F(WorkloadCheckTest, AtOneSocketForAllTheRequestNamesTheWorkload) {
  EXPECT_EQ(State(All(), "web-other").workload, other_);
  EXPECT_EQ(State(All(), "web-member").workload, member_);
  const Outcome none = Check(All(), test::TaskRequest("State", test::IdPayload("web-pod"), ""));
  EXPECT_EQ(none.stage, Stage::kMetadata);
  EXPECT_EQ(Text(none),
            "INVALID_ARGUMENT metadata containerd-namespace-ttrpc must name the namespace of the "
            "workload");
}

// Whether another user's workload exists must not show.
TEST_F(WorkloadCheckTest, OnlyWhoMayCallItLearnsThatAWorkloadIsNotThere) {
  EXPECT_EQ(Text(State(All(), "web-none")), "NOT_FOUND no workload k8s.io/web-none");
  EXPECT_EQ(Text(Check(All(), test::TaskRequest("State", test::IdPayload("web-pod"), "default"))),
            "NOT_FOUND no workload default/web-pod");
  EXPECT_EQ(Text(State(All(), "db-none")), denied_);
  test::AddWorkload(&table_, test::WorkloadAt("db-one", "/run/db"));
  EXPECT_EQ(Text(State(All(), "db-one")), denied_);
  EXPECT_EQ(Text(State(All(), "secret-1")), denied_);
  EXPECT_EQ(Text(State(All(), "secret-2")), denied_);
  const Outcome outcome = State(All(), "web-none");
  EXPECT_EQ(outcome.workload_name(), "k8s.io/web-none");
  EXPECT_EQ(outcome.verdict.rule, 1U);
}

TEST_F(WorkloadCheckTest, AFaultyWorkloadTakesNoCalls) {
  Workload faulty = test::WorkloadAt("web-bad", "/run/bad");
  faulty.why = "bootstrap.json: version 9 is not supported";
  test::AddWorkload(&table_, faulty);
  const Outcome outcome = State(All(), "web-bad");
  EXPECT_EQ(Text(outcome),
            "UNAVAILABLE workload k8s.io/web-bad cannot be used; see ttrpc-proxyctl workloads");
  EXPECT_EQ(outcome.cause().detail, "bootstrap.json: version 9 is not supported");
}

TEST_F(WorkloadCheckTest, AFrontWhoseWorkloadIsGoneTakesNoCalls) {
  pod_->gone = true;
  EXPECT_EQ(Text(State(At(pod_), "web-pod")), "NOT_FOUND no workload k8s.io/web-pod");
  EXPECT_EQ(Text(State(At(pod_), "web-member")), "NOT_FOUND no workload k8s.io/web-pod");
  EXPECT_EQ(Text(State(At(pod_), "web-other")), denied_);
}

TEST_F(WorkloadCheckTest, APermittedRequestAllocatesNothing) {
  const std::string data = test::TaskRequest("Stats", test::IdPayload("web-member"));
  Admission admission = snapshot_.policy.Admit(0, test::Peer(1000));
  const RequestMessage message = {.header = {.stream_id = 1}, .data = data, .id_in_use = false};
  for (const WorkloadScope& scope : {At(pod_), All()}) {
    const CheckContext context = {.snapshot = snapshot_,
                                  .admission = admission,
                                  .uid = 1000,
                                  .unknown_fields = UnknownFields::kRefuse,
                                  .draining = false,
                                  .scope = scope};
    ASSERT_TRUE(CheckRequest(message, context, &request_, &guarded_).permitted());
    const size_t before = test::AllocationCount();
    const bool permitted = CheckRequest(message, context, &request_, &guarded_).permitted();
    EXPECT_EQ(test::AllocationCount(), before);
    EXPECT_TRUE(permitted);
  }
}

}  // namespace
}  // namespace proxyd
