// SPDX-License-Identifier: Apache-2.0
#include "proxy/peer_audit.h"

#include <gtest/gtest.h>

#include <string>

#include "observe/audit_line.h"
#include "policy_builder.h"
#include "ttrpc/message.h"

namespace proxyd {
namespace {

class NowhereTarget final : public AuditTarget {
 public:
  bool Write(std::string_view) override { return true; }
};

// One rule, which allows; what is kept of a call under it.
std::unique_ptr<CallLabel> LabelWith(AuditCalls calls, const ttrpc::RequestView& request,
                                     uint8_t flags = ttrpc::kFlagRemoteOpen) {
  Config config = test::ConfigOf({test::Allow({"/s/M"})});
  config.audit.calls = calls;
  Audit audit(config.audit, std::make_unique<NowhereTarget>());
  const PeerIdentity identity;
  return PeerAudit(config, audit, identity)
      .LabelOf({.request = request, .flags = flags, .bytes = 0}, 0);
}

// A call may last, and a peer may have many.
TEST(PeerAuditTest, KeepsNoMoreOfAValueThanALineShows) {
  const std::string trace(1 << 20, 'x');
  const auto label =
      LabelWith(AuditCalls::kAll, test::Call("/s/M", {{.key = "traceparent", .value = trace}}));
  ASSERT_NE(label, nullptr);
  const auto line_with = [](std::string_view traceparent) {
    AuditRecord record;
    record.traceparent = traceparent;
    std::string line;
    AppendAuditLine(record, {}, &line);
    return line;
  };
  EXPECT_EQ(line_with(label->traceparent), line_with(trace)) << "it shows that it was cut";
  EXPECT_LE(label->traceparent.size(), kAuditValueLimit + 1);
}

// A refusal of its data is told even where its end is not.
TEST(PeerAuditTest, KeepsTheNamesOfACallThatMayBeRefused) {
  for (const AuditCalls calls : {AuditCalls::kDenied, AuditCalls::kAll}) {
    const auto label = LabelWith(calls, test::Call("/s/M"));
    ASSERT_NE(label, nullptr);
    EXPECT_EQ(label->service, "s");
    EXPECT_EQ(label->method, "M");
  }
  EXPECT_EQ(LabelWith(AuditCalls::kNone, test::Call("/s/M")), nullptr);
}

// Nothing is kept of most calls: unary, and without a line at their end.
TEST(PeerAuditTest, KeepsNothingOfAUnaryCallUnlessItsEndIsTold) {
  EXPECT_EQ(LabelWith(AuditCalls::kDenied, test::Call("/s/M"), 0), nullptr);
  EXPECT_NE(LabelWith(AuditCalls::kAll, test::Call("/s/M"), 0), nullptr);
}

}  // namespace
}  // namespace proxyd
