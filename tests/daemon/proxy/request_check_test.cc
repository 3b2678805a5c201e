// SPDX-License-Identifier: Apache-2.0
//
// The checks of a request, by table: each stage, its exact status, and which of two failures
// answers.
#include "proxy/request_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/allocation_count.h"
#include "support/policy_builder.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using ttrpc::kFlagRemoteClosed;
using ttrpc::kFlagRemoteOpen;
using ttrpc::StatusCode;

// A request that rule 3 permits unless the test changes something in it.
struct Sent {
  uint32_t id = 1;
  bool id_in_use = false;
  uint8_t flags = 0;
  std::string service = "s";
  std::string method = "M";
  std::vector<ttrpc::MetadataEntry> metadata = {};
  std::string more = {};  // bytes after the canonical encoding
  uid_t uid = 1000;
  UnknownFields unknown_fields = UnknownFields::kRefuse;
  bool draining = false;
};

const std::string kUnknownField = "\x38\x01";  // field 7, a varint
const std::string kTruncated = "\x38";
const std::string kPayloadTwice = "\x1a\x01p\x1a\x01p";

RuleConfig Asking(std::string_view key, std::string_view value, RuleConfig rule) {
  rule.metadata.emplace(key, value);
  return rule;
}
RuleConfig Streaming(RuleConfig rule) {
  rule.streams = true;
  return rule;
}

Config Rules() {
  return test::ConfigOf({
      test::Shadow(test::Deny({"/s/Shadowed", "/t/*"})),           // 0
      Asking("ns", "b", test::Deny({"/s/Asked"})),                 // 1
      test::Deny({"/s/Denied"}),                                   // 2
      test::Allow({"/s/*"}),                                       // 3
      Streaming(test::Allow({"/streams/*"})),                      // 4
      test::Shadow(Streaming(test::Allow({"/shadow.stream/*"}))),  // 5
  });
}

std::string Encode(const Sent& sent) {
  ttrpc::RequestView request;
  request.service = sent.service;
  request.method = sent.method;
  request.metadata = sent.metadata;
  std::string bytes(ttrpc::EncodedRequestSize(request), '\0');
  ttrpc::EncodeRequest(request, bytes.data());
  return bytes + sent.more;
}

class RequestCheckTest : public testing::Test {
 protected:
  Admission NewAdmission(uid_t uid = 1000) const {
    return snapshot_.policy.Admit(0, test::Peer(uid));
  }

  Outcome Check(const Sent& sent, Admission* admission) {
    data_ = Encode(sent);
    return CheckRequest({.header = {.length = static_cast<uint32_t>(data_.size()),
                                    .stream_id = sent.id,
                                    .type = ttrpc::MessageType::kRequest,
                                    .flags = sent.flags},
                         .data = data_,
                         .id_in_use = sent.id_in_use},
                        {.snapshot = snapshot_,
                         .admission = *admission,
                         .uid = sent.uid,
                         .unknown_fields = sent.unknown_fields,
                         .draining = sent.draining},
                        &request_, &guarded_);
  }
  Outcome Check(const Sent& sent) {
    Admission admission = NewAdmission(sent.uid);
    return Check(sent, &admission);
  }

  const Snapshot snapshot_{Rules(), test::kOverflow};
  std::string data_;
  ttrpc::RequestView request_;
  GuardedValues guarded_;
};

struct RefusedCase {
  const char* what;
  Sent sent;
  Stage stage;
  ttrpc::Status status;
  std::optional<size_t> rule = std::nullopt;
};

ttrpc::Status Invalid(const std::string& message) {
  return {StatusCode::kInvalidArgument, message};
}
ttrpc::Status Denied(const std::string& message) {
  return {StatusCode::kPermissionDenied, message};
}

std::vector<RefusedCase> Refused() {
  const auto unmarshal = [](const std::string& what) {
    return Invalid("unmarshal request error: " + what);
  };
  const ttrpc::Status odd = Invalid("StreamID must be odd for client initiated streams");
  const ttrpc::Status ns = Invalid("metadata ns must appear once and in lower case");
  const ttrpc::Status both = Invalid("remote closed and remote open cannot be combined");
  const std::string long_name(257, 'x');
  return {
      {"even id", {.id = 2}, Stage::kStreamId, odd},
      {"id 0", {.id = 0}, Stage::kStreamId, odd},
      {"even, and in use", {.id = 2, .id_in_use = true}, Stage::kStreamId, odd},
      {"id in use",
       {.id = 3, .id_in_use = true},
       Stage::kStreamId,
       Invalid("StreamID cannot be re-used")},
      {"truncated",
       {.more = kTruncated},
       Stage::kEnvelope,
       unmarshal("truncated or over-long varint")},
      {"repeated field", {.more = kPayloadTwice}, Stage::kEnvelope, unmarshal("payload repeated")},
      {"unknown field", {.more = kUnknownField}, Stage::kEnvelope, unmarshal("unknown field 7")},
      {"truncated where unknown fields are dropped",
       {.more = kTruncated, .unknown_fields = UnknownFields::kDrop},
       Stage::kEnvelope,
       unmarshal("truncated or over-long varint")},
      {"service", {.service = "s/"}, Stage::kNames, Invalid("invalid service name")},
      {"no service", {.service = ""}, Stage::kNames, Invalid("invalid service name")},
      {"long service", {.service = long_name}, Stage::kNames, Invalid("invalid service name")},
      {"method", {.method = "M."}, Stage::kNames, Invalid("invalid method name")},
      {"no method", {.method = ""}, Stage::kNames, Invalid("invalid method name")},
      {"long method", {.method = long_name}, Stage::kNames, Invalid("invalid method name")},
      {"both names", {.service = "", .method = ""}, Stage::kNames, Invalid("invalid service name")},
      {"guarded metadata twice", {.metadata = {{"ns", "a"}, {"ns", "a"}}}, Stage::kMetadata, ns},
      {"in upper case", {.metadata = {{"NS", "a"}}}, Stage::kMetadata, ns},
      {"flags", {.flags = kFlagRemoteClosed | kFlagRemoteOpen}, Stage::kFlags, both},
      {"flags, and others", {.flags = 0xff}, Stage::kFlags, both},
      {"deny rule",
       {.method = "Denied"},
       Stage::kPolicy,
       Denied("uid 1000 may not call /s/Denied"),
       2},
      {"deny rule that asks for metadata",
       {.method = "Asked", .metadata = {{"ns", "b"}}},
       Stage::kPolicy,
       Denied("uid 1000 may not call /s/Asked"),
       1},
      {"no rule", {.service = "u"}, Stage::kPolicy, Denied("uid 1000 may not call /u/M")},
      {"only a rule that is not enforced",
       {.service = "shadow.stream"},
       Stage::kPolicy,
       Denied("uid 1000 may not call /shadow.stream/M")},
      {"not that user",
       {.uid = test::kOverflow.uid},
       Stage::kPolicy,
       Denied("uid 65534 may not call /s/M")},
      {"stream", {.flags = kFlagRemoteOpen}, Stage::kStreams, Invalid("/s/M may not stream"), 3},
      {"draining", {.draining = true}, Stage::kDraining, {StatusCode::kUnavailable, "draining"}, 3},
      {"draining a stream",
       {.flags = kFlagRemoteOpen, .service = "streams", .draining = true},
       Stage::kDraining,
       {StatusCode::kUnavailable, "draining"},
       4},
  };
}

TEST_F(RequestCheckTest, EachStageHasItsStatus) {
  for (const RefusedCase& c : Refused()) {
    const Outcome outcome = Check(c.sent);
    EXPECT_EQ(outcome.stage, c.stage) << c.what;
    EXPECT_EQ(outcome.status, c.status) << c.what;
    EXPECT_EQ(outcome.verdict.rule, c.rule) << c.what;
    EXPECT_EQ(outcome.limit, std::nullopt) << c.what;
    EXPECT_FALSE(outcome.permitted()) << c.what;
    EXPECT_EQ(outcome.decided(), c.stage >= Stage::kPolicy) << c.what;
    EXPECT_EQ(outcome.verdict.allowed, c.stage > Stage::kPolicy) << c.what;
  }
}

TEST_F(RequestCheckTest, WhatPassesIsPermittedByItsRule) {
  const std::vector<std::pair<Sent, size_t>> permitted = {
      {{}, 3},
      {{.id = 0x7fff'ffff}, 3},
      {{.flags = kFlagRemoteClosed}, 3},
      {{.flags = 0xf8}, 3},
      {{.method = "Asked"}, 3},
      {{.method = "Asked", .metadata = {{"ns", "a"}}}, 3},
      {{.metadata = {{"any", "x"}, {"ANY", "y"}, {"ttrpc-proxy-uid", "0"}}}, 3},
      {{.more = kUnknownField, .unknown_fields = UnknownFields::kDrop}, 3},
      {{.flags = kFlagRemoteOpen, .service = "streams"}, 4},
      {{.service = "streams"}, 4},
  };
  for (const auto& [sent, rule] : permitted) {
    const Outcome outcome = Check(sent);
    EXPECT_TRUE(outcome.permitted()) << outcome.status;
    EXPECT_TRUE(outcome.status.ok());
    EXPECT_EQ(outcome.verdict.rule, rule);
    EXPECT_TRUE(outcome.verdict.allowed);
    EXPECT_THAT(outcome.verdict.shadows, IsEmpty());
    EXPECT_EQ(request_.service, sent.service);
    EXPECT_EQ(request_.method, sent.method);
    EXPECT_EQ(request_.metadata, sent.metadata) << "reserved metadata is dropped later";
  }
}

// Every verdict contains the rules with enforce = false, whatever the decision is.
TEST_F(RequestCheckTest, ShadowsAreReportedWithEveryDecision) {
  EXPECT_THAT(Check({.method = "Shadowed"}).verdict.shadows, ElementsAre(0));
  EXPECT_TRUE(Check({.method = "Shadowed"}).permitted());
  EXPECT_THAT(Check({.service = "t"}).verdict.shadows, ElementsAre(0));
  EXPECT_EQ(Check({.service = "t"}).stage, Stage::kPolicy);
  const Outcome stream = Check({.flags = kFlagRemoteOpen, .method = "Shadowed"});
  EXPECT_EQ(stream.stage, Stage::kStreams);
  EXPECT_THAT(stream.verdict.shadows, ElementsAre(0));
  const Outcome draining = Check({.method = "Shadowed", .draining = true});
  EXPECT_EQ(draining.stage, Stage::kDraining);
  EXPECT_THAT(draining.verdict.shadows, ElementsAre(0));
}

// After the check of the names, a refusal counts for a method of the configuration.
TEST_F(RequestCheckTest, LabelsAreThereFromMetadataOn) {
  for (const RefusedCase& c : Refused()) {
    const Outcome outcome = Check(c.sent);
    const bool named = c.stage > Stage::kNames;
    EXPECT_EQ(outcome.named(), named) << c.what;
    EXPECT_EQ(outcome.decoded(), c.stage > Stage::kEnvelope) << c.what;
    EXPECT_EQ(outcome.verdict.labels.service.empty(), !named) << c.what;
    EXPECT_EQ(outcome.verdict.labels.method.empty(), !named) << c.what;
  }
  const MethodLabels labels = Check({.method = "Denied", .metadata = {{"NS", ""}}}).verdict.labels;
  EXPECT_EQ(labels.service, "s");
  EXPECT_EQ(labels.method, "Denied");
}

// A defect that makes a request fail at one stage, whatever else is wrong with it.
struct Fault {
  Stage stage;
  void (*apply)(Sent* sent);
};

const Fault kFaults[] = {
    {Stage::kStreamId, [](Sent* sent) { sent->id_in_use = true; }},
    {Stage::kEnvelope, [](Sent* sent) { sent->more = kUnknownField; }},
    {Stage::kNames, [](Sent* sent) { sent->service = "s/"; }},
    {Stage::kMetadata,
     [](Sent* sent) {
       sent->metadata = {{"Ns", "a"}};
     }},
    {Stage::kFlags, [](Sent* sent) { sent->flags = kFlagRemoteClosed | kFlagRemoteOpen; }},
    {Stage::kPolicy, [](Sent* sent) { sent->method = "Denied"; }},
    {Stage::kStreams, [](Sent* sent) { sent->flags |= kFlagRemoteOpen; }},
    {Stage::kDraining, [](Sent* sent) { sent->draining = true; }},
};

// All combinations of defects are tried, also with an admission that remembers the method.
TEST_F(RequestCheckTest, TheFirstFailureAnswers) {
  for (uint32_t faults = 0; faults < 1U << std::size(kFaults); ++faults) {
    Sent sent;
    Stage first = Stage::kPassed;
    for (size_t i = 0; i < std::size(kFaults); ++i) {
      if ((faults >> i & 1) == 0) continue;
      kFaults[i].apply(&sent);
      first = std::min(first, kFaults[i].stage);
    }
    EXPECT_EQ(Check(sent).stage, first) << faults;

    Admission admission = NewAdmission();
    ASSERT_TRUE(Check(Sent{}, &admission).permitted());
    ASSERT_TRUE(admission.Recall(request_));
    const Outcome outcome = Check(sent, &admission);
    EXPECT_EQ(outcome.stage, first) << faults;
    EXPECT_EQ(outcome.status, Check(sent).status) << faults;
    EXPECT_EQ(outcome.verdict.rule, Check(sent).verdict.rule) << faults;
  }
}

// A payload transform of ttrpc-rust encrypts or compresses all of a message but its header. The
// answer names the transform, whatever the bytes look like, and quotes none of them.
TEST_F(RequestCheckTest, DataThatIsNoRequestNamesThePayloadTransform) {
  const std::vector<std::string> transformed = {
      "\x28\xb5\x2f\xfdSECRET",           // zstd
      "\x1f\x8b\x08SECRET",               // gzip
      std::string("\0\0\0\0SECRET", 10),  // begins with a counter
      "\x0a\x7fSECRET",                   // begins like a service that is too long
      "\x0a\x06SECR\xff\xff",             // a service that is no text
      "\x3a\x06SECRET",                   // reads as a field that is dropped
      "\x1a\x06SECRET",                   // reads as a payload alone
  };
  for (const std::string& data : transformed) {
    for (const UnknownFields unknown : {UnknownFields::kRefuse, UnknownFields::kDrop}) {
      Admission admission = NewAdmission();
      const Outcome outcome =
          CheckRequest({.header = {.stream_id = 1}, .data = data, .id_in_use = false},
                       {.snapshot = snapshot_,
                        .admission = admission,
                        .uid = 1000,
                        .unknown_fields = unknown,
                        .draining = false},
                       &request_, &guarded_);
      EXPECT_TRUE(outcome.stage == Stage::kEnvelope || outcome.stage == Stage::kNames);
      EXPECT_EQ(outcome.status.code(), StatusCode::kInvalidArgument);
      EXPECT_THAT(outcome.status.message(),
                  testing::HasSubstr("; if the client uses a payload transform of ttrpc-rust"));
      EXPECT_THAT(outcome.status.message(), testing::Not(testing::HasSubstr("SECR")));
      EXPECT_EQ(outcome.cause().reason, AuditReason::kMalformed);
      EXPECT_EQ(outcome.cause().detail, outcome.status.message());
    }
  }
}

// A call that is refused by a later check was still allowed, so its method is remembered.
TEST_F(RequestCheckTest, NothingButTheVerdictIsRemembered) {
  Admission admission = NewAdmission();
  EXPECT_EQ(Check({.draining = true}, &admission).stage, Stage::kDraining);
  EXPECT_TRUE(admission.Recall(request_));
  EXPECT_EQ(Check({.id = 2}, &admission).stage, Stage::kStreamId);
  EXPECT_EQ(Check({.metadata = {{"NS", ""}}}, &admission).stage, Stage::kMetadata);
  EXPECT_EQ(Check({.flags = kFlagRemoteOpen}, &admission).stage, Stage::kStreams);
  EXPECT_TRUE(Check({}, &admission).permitted());
  EXPECT_EQ(Check({.method = "Denied", .uid = 7}, &admission).status,
            Denied("uid 7 may not call /s/Denied"));
}

TEST_F(RequestCheckTest, APermittedRequestAllocatesNothing) {
  const Sent sent = {.method = "M", .metadata = {{"ns", "a"}, {"other", "x"}}};
  Admission admission = NewAdmission();
  ASSERT_TRUE(Check(sent, &admission).permitted());
  const std::string data = Encode(sent);
  const CheckContext context = {.snapshot = snapshot_,
                                .admission = admission,
                                .uid = 1000,
                                .unknown_fields = UnknownFields::kRefuse,
                                .draining = false};
  const RequestMessage message = {.header = {.stream_id = 1}, .data = data, .id_in_use = false};
  const size_t before = test::AllocationCount();
  const bool permitted = CheckRequest(message, context, &request_, &guarded_).permitted();
  EXPECT_EQ(test::AllocationCount(), before);
  EXPECT_TRUE(permitted);
}

}  // namespace
}  // namespace proxyd
