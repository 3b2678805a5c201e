// SPDX-License-Identifier: Apache-2.0
//
// The effects of each outcome, by table: the counters, the audit record, and the labels and code
// under which the answer is counted.
#include "proxy/peer_outcomes.h"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness.h"
#include "support/allocation_count.h"
#include "support/policy_builder.h"
#include "ttrpc/event_loop.h"

namespace proxyd {
namespace {

using ttrpc::StatusCode;

// A record, with copies in place of views.
struct Line {
  AuditEvent event;
  std::string method;  // "" if the record has no request
  std::string rule;
  std::string backend;
  std::optional<bool> enforced;
  std::optional<StatusCode> code;
  std::string why = {};  // reason, limit and detail, separated by blanks

  friend bool operator==(const Line&, const Line&) = default;
};

std::ostream& operator<<(std::ostream& out, const Line& line) {
  return out << "event " << static_cast<int>(line.event) << " method " << line.method << " rule "
             << line.rule << " backend " << line.backend << " enforced "
             << (line.enforced ? std::to_string(static_cast<int>(*line.enforced)) : "-") << " code "
             << (line.code ? ttrpc::StatusCodeName(*line.code) : "-") << " why " << line.why;
}

std::string WhyOf(const AuditRecord& record) {
  std::string why(ReasonName(record.reason));
  for (const std::string_view more : {record.limit, record.detail}) {
    if (!more.empty()) why.append(" ").append(more);
  }
  return why;
}

class LineSink final : public ReportSink {
 public:
  void OnRecord(const AuditRecord& record) override {
    lines.push_back({.event = record.event,
                     .method = std::string(record.method),
                     .rule = std::string(record.rule),
                     .backend = std::string(record.backend),
                     .enforced = record.enforced,
                     .code = record.code,
                     .why = WhyOf(record)});
  }
  void OnPayload(const PayloadRecord& record) override { payloads.emplace_back(record.payload); }
  bool wants_payloads() const override { return true; }

  std::vector<Line> lines;
  std::vector<std::string> payloads;
};

Config Rules() {
  Config config = test::ConfigOf(
      {test::Shadow(test::Deny({"/s/*"})), test::Allow({"/s/M"}), test::Deny({"/s/N"})});
  config.rules[0].name = "shadow";
  config.rules[1].name = "allow";
  config.rules[2].name = "deny";
  config.backends.push_back({.name = "back",
                             .addresses = {*ttrpc::Address::Parse("unix:///nowhere")},
                             .users = {0},
                             .position = {}});
  return config;
}

class PeerOutcomesTest : public testing::Test {
 protected:
  PeerOutcomesTest() { reports_.Add(&sink_); }

  // Returns views of the configuration, like those of a verdict.
  MethodLabels labels() const {
    const MethodPattern& method = generation_->config().rules[1].methods[0];
    return {.service = method.service, .method = method.method};
  }
  Verdict Decision(size_t rule) const {
    Verdict verdict;
    verdict.allowed = rule == 1;
    verdict.rule = rule;
    verdict.labels = labels();
    return verdict;
  }
  // Returns how many calls have ended with this code under labels(), on this backend (or "").
  uint64_t Ended(const std::string& backend, StatusCode code) const {
    const auto found = labeled_counters_.methods().find(
        {.listener = "first", .backend = backend, .service = "s", .method = "M"});
    return found == labeled_counters_.methods().end()
               ? 0
               : found->second.ended[static_cast<size_t>(code)];
  }
  uint64_t Decisions(const std::string& rule) const {
    uint64_t decisions = 0;
    for (const auto& [key, counted] : labeled_counters_.rules()) {
      if (key.rule == rule) decisions += counted.decisions;
    }
    return decisions;
  }
  uint64_t EndedInAll() const {
    uint64_t ended = 0;
    for (const auto& [key, counted] : labeled_counters_.methods())
      ended = std::accumulate(counted.ended.begin(), counted.ended.end(), ended);
    return ended;
  }

  ttrpc::EventLoop loop_;
  LabeledCounters labeled_counters_;
  const Generation::Context context_{.loop = loop_.io(), .labeled_counters = labeled_counters_};
  Ref<Generation> generation_ =
      MakeRef<Generation>(context_, std::make_shared<const Snapshot>(Rules(), test::kOverflow));
  WorkerCounters counters_;
  Audit audit_{generation_->config().audit, std::make_unique<test::NowhereTarget>()};
  Reports reports_{audit_};
  LineSink sink_;
  const PeerIdentity identity_{.listener = &generation_->listener(0)->config};
  PeerAudit peer_audit_{generation_->config(), reports_, identity_};
  PeerOutcomes outcomes_{counters_, peer_audit_, generation_, *generation_->listener(0)};
  const ttrpc::RequestView request_ = test::Call("/s/M");
  const AuditedRequest what_{.request = request_, .id = 1, .flags = 0, .bytes = 10};
};

struct StageCase {
  Stage stage;
  AuditEvent event;
  std::optional<ProtocolError> error;
  std::string_view why;  // the part before the status's message
};

const StageCase kStageCases[] = {
    {Stage::kTooLong, AuditEvent::kRefuse, ProtocolError::kPeerMessageSize, "limit message_size"},
    {Stage::kData, AuditEvent::kRefuse, ProtocolError::kPeerData, "malformed"},
    {Stage::kStreamId, AuditEvent::kRefuse, ProtocolError::kPeerStreamId, "malformed"},
    {Stage::kEnvelope, AuditEvent::kRefuse, ProtocolError::kPeerEnvelope, "malformed"},
    {Stage::kNames, AuditEvent::kRefuse, ProtocolError::kPeerEnvelope, "malformed"},
    {Stage::kMetadata, AuditEvent::kRefuse, ProtocolError::kPeerEnvelope, "metadata"},
    {Stage::kFlags, AuditEvent::kRefuse, ProtocolError::kPeerEnvelope, "malformed"},
    {Stage::kService, AuditEvent::kRefuse, ProtocolError::kPeerEnvelope, "payload"},
    {Stage::kPayload, AuditEvent::kRefuse, ProtocolError::kPeerEnvelope, "payload"},
    {Stage::kPolicy, AuditEvent::kDeny, std::nullopt, "deny_rule"},
    {Stage::kWorkload, AuditEvent::kCall, std::nullopt, "backend_unreachable"},
    {Stage::kStreams, AuditEvent::kRefuse, std::nullopt, "malformed"},
    {Stage::kDraining, AuditEvent::kCall, std::nullopt, "draining"},
    {Stage::kAudit, AuditEvent::kCall, std::nullopt, "audit_failing"},
    {Stage::kLimit, AuditEvent::kRefuse, std::nullopt, "limit"},
    {Stage::kDeadline, AuditEvent::kCall, std::nullopt, "deadline"},
    {Stage::kForwardedSize, AuditEvent::kRefuse, std::nullopt, "limit message_size"},
    {Stage::kBackend, AuditEvent::kCall, std::nullopt, "backend_unreachable"},
};

TEST_F(PeerOutcomesTest, EachStageIsCountedAndReportedOnce) {
  ASSERT_EQ(std::size(kStageCases), static_cast<size_t>(Stage::kPassed))
      << "all but the one that passes";
  for (const StageCase& c : kStageCases) {
    SCOPED_TRACE(static_cast<int>(c.stage));
    counters_ = {};
    sink_.lines.clear();
    const bool decided = c.stage >= Stage::kPolicy;
    const bool named = c.stage > Stage::kNames;
    Outcome outcome;
    if (decided) outcome.verdict = Decision(c.stage == Stage::kPolicy ? 2 : 1);
    if (named) outcome.verdict.labels = labels();
    outcome.Fail(c.stage, {StatusCode::kAborted, "a code of its own"});
    const uint64_t ended = EndedInAll();
    const uint64_t before =
        Ended(decided && c.stage != Stage::kPolicy ? "back" : "", StatusCode::kAborted);

    if (decided) outcomes_.Decided(what_, outcome.verdict);
    outcomes_.Stopped(outcome, &what_);

    EXPECT_EQ(counters_.refused, c.event == AuditEvent::kRefuse ? 1U : 0U);
    EXPECT_EQ(counters_.denied, c.event == AuditEvent::kDeny ? 1U : 0U);
    EXPECT_EQ(counters_.calls, 0U);
    for (size_t error = 0; error < counters_.protocol_errors.size(); ++error) {
      EXPECT_EQ(counters_.protocol_errors[error],
                c.error && error == static_cast<size_t>(*c.error) ? 1U : 0U);
    }
    EXPECT_EQ(EndedInAll() - ended, named ? 1U : 0U);
    EXPECT_EQ(Ended(decided && c.stage != Stage::kPolicy ? "back" : "", StatusCode::kAborted),
              before + (named ? 1U : 0U));

    Line line = {.event = c.event,
                 .method = named ? "M" : "",
                 .rule = "",
                 .backend = "",
                 .enforced = std::nullopt,
                 .code = StatusCode::kAborted};
    if (decided) {
      line.rule = c.stage == Stage::kPolicy ? "deny" : "allow";
      line.backend = c.stage == Stage::kPolicy ? "" : "back";
      line.enforced = true;
    }
    line.why = c.why;
    if (c.stage != Stage::kPolicy) line.why += " a code of its own";
    if (c.stage == Stage::kPolicy) line.code = StatusCode::kPermissionDenied;
    EXPECT_EQ(sink_.lines, std::vector{line});
  }
}

TEST_F(PeerOutcomesTest, ALimitIsCountedByItsName) {
  Outcome outcome;
  outcome.verdict = Decision(1);
  outcome.Fail(Limit::kCallsPerUser, {StatusCode::kResourceExhausted, ""});
  outcomes_.Stopped(outcome, &what_);
  outcomes_.Closed(
      Limit::kBufferedPerUser,
      {.reason = AuditReason::kLimit, .limit = "buffered_per_user", .detail = "too much"});
  EXPECT_EQ(counters_.limit_refusals[static_cast<size_t>(Limit::kCallsPerUser)], 1U);
  EXPECT_EQ(counters_.limit_refusals[static_cast<size_t>(Limit::kBufferedPerUser)], 1U);
  EXPECT_EQ(counters_.refused, 1U);
  ASSERT_EQ(sink_.lines.size(), 2U);
  EXPECT_EQ(sink_.lines[1].event, AuditEvent::kRefuse);
  EXPECT_EQ(sink_.lines[1].code, StatusCode::kResourceExhausted);
  EXPECT_EQ(sink_.lines[0].why, "limit calls_per_user");
  EXPECT_EQ(sink_.lines[1].why, "limit buffered_per_user too much");
}

// The client learns the backend's name, and the operator what is wrong with it.
TEST_F(PeerOutcomesTest, ABackendThatCannotBeReachedIsReportedWithTheCause) {
  Outcome outcome;
  outcome.verdict = Decision(1);
  outcome.FailAtBackend(AuditReason::kBackendOwner, "unix:///s: uid 7 listens there",
                        {StatusCode::kUnavailable, "backend \"back\" cannot be reached"});
  outcomes_.Stopped(outcome, &what_);
  ASSERT_EQ(sink_.lines.size(), 1U);
  EXPECT_EQ(sink_.lines[0].why, "backend_owner unix:///s: uid 7 listens there");
}

// A front serves its own workload only, so no rule was consulted.
TEST_F(PeerOutcomesTest, ARequestForAnotherWorkloadIsADenial) {
  Verdict verdict;
  verdict.labels = labels();
  outcomes_.Decided(what_, verdict, true);
  EXPECT_EQ(Decisions(""), 1U);
  EXPECT_EQ(sink_.lines, (std::vector<Line>{{.event = AuditEvent::kDeny,
                                             .method = "M",
                                             .rule = "",
                                             .backend = "",
                                             .enforced = true,
                                             .code = StatusCode::kPermissionDenied,
                                             .why = "payload"}}));
}

TEST_F(PeerOutcomesTest, ADecisionCountsForItsRuleAndTheShadows) {
  Verdict verdict = Decision(1);
  verdict.shadows = {0};
  outcomes_.Decided(what_, verdict);
  EXPECT_EQ(Decisions("allow"), 1U);
  EXPECT_EQ(Decisions("shadow"), 1U);
  EXPECT_EQ(sink_.lines, (std::vector<Line>{{.event = AuditEvent::kDeny,
                                             .method = "M",
                                             .rule = "shadow",
                                             .backend = "",
                                             .enforced = false,
                                             .code = StatusCode::kPermissionDenied,
                                             .why = "deny_rule"}}));
  verdict = Decision(2);
  verdict.rule.reset();
  outcomes_.Decided(what_, verdict);
  EXPECT_EQ(Decisions(""), 1U) << "none matched";
  EXPECT_EQ(sink_.lines.back().why, "no_rule");
}

// The counters of a repeatable verdict are remembered. The result is the same as with a search.
TEST_F(PeerOutcomesTest, ARepeatedVerdictCountsWithoutASearch) {
  const Verdict verdict = Decision(1);
  ASSERT_TRUE(verdict.repeatable());
  Call call{StreamState(0)};
  call.rule = 1;
  call.generation = generation_;
  outcomes_.Decided(what_, verdict);
  outcomes_.Forwarded(what_, verdict, &call);
  const size_t before = test::AllocationCount();
  for (int i = 0; i < 10; ++i) outcomes_.Decided(what_, verdict);
  EXPECT_EQ(test::AllocationCount(), before);
  EXPECT_EQ(Decisions("allow"), 11U);
  EXPECT_EQ(call.counters, &generation_->method_counters(*generation_->listener(0), 1, labels()));

  // Another rule, other labels and a denial in between are still counted separately.
  Verdict other = verdict;
  other.labels.method = "other";
  outcomes_.Forwarded(what_, other, &call);
  EXPECT_EQ(call.counters,
            &generation_->method_counters(*generation_->listener(0), 1, other.labels));
  outcomes_.Decided(what_, Decision(2));
  EXPECT_EQ(Decisions("deny"), 1U);
  outcomes_.Decided(what_, verdict);
  EXPECT_EQ(Decisions("allow"), 12U);
}

TEST_F(PeerOutcomesTest, AfterAResetItCountsUnderTheNewGeneration) {
  outcomes_.Decided(what_, Decision(1));
  Config config = Rules();
  config.rules[1].name = "renamed";
  generation_ = MakeRef<Generation>(
      context_, std::make_shared<const Snapshot>(std::move(config), test::kOverflow), *generation_);
  outcomes_.Reset();
  peer_audit_.SetConfig(generation_->config());
  outcomes_.Decided(what_, Decision(1));
  EXPECT_EQ(Decisions("allow"), 1U);
  EXPECT_EQ(Decisions("renamed"), 1U);
}

TEST_F(PeerOutcomesTest, AForwardedRequestIsACall) {
  Call call{StreamState(0)};
  call.rule = 1;
  call.generation = generation_;
  ttrpc::RequestView request = request_;
  request.payload = "p";
  outcomes_.Forwarded({.request = request, .id = 1, .flags = 0, .bytes = 10}, Decision(1), &call);
  EXPECT_EQ(counters_.calls, 1U);
  EXPECT_EQ(call.label.method(), "M");
  EXPECT_EQ(sink_.payloads, std::vector<std::string>{"p"});
  EXPECT_TRUE(sink_.lines.empty()) << "a forwarded call has its line at its end";
}

// Data on a call that takes none. The end of the call is reported separately.
TEST_F(PeerOutcomesTest, ARefusedMessageOfACallNamesTheCall) {
  Call call{StreamState(0)};
  call.rule = 1;
  call.generation = generation_;
  call.label.Set({}, "M", {});
  Outcome outcome;
  outcome.Fail(Stage::kData, {StatusCode::kInvalidArgument, ""});
  outcomes_.Refused(call, outcome);
  EXPECT_EQ(counters_.refused, 1U);
  EXPECT_EQ(counters_.of(ProtocolError::kPeerData), 1U);
  EXPECT_EQ(sink_.lines, (std::vector<Line>{{.event = AuditEvent::kRefuse,
                                             .method = "M",
                                             .rule = "allow",
                                             .backend = "back",
                                             .enforced = true,
                                             .code = StatusCode::kInvalidArgument,
                                             .why = "malformed"}}));
  EXPECT_EQ(EndedInAll(), 0U);
}

}  // namespace
}  // namespace proxyd
