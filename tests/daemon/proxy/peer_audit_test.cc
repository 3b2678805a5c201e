// SPDX-License-Identifier: Apache-2.0
#include "proxy/peer_audit.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "harness.h"
#include "support/allocation_count.h"
#include "support/policy_builder.h"
#include "ttrpc/wire/message.h"

namespace proxyd {
namespace {

const std::string kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Config ConfigWith(AuditCalls calls) {
  Config config = test::ConfigOf({test::Allow({"/s/M"})});
  config.audit.calls = calls;
  return config;
}

// Labels calls under one allow rule.
class Labeller {
 public:
  explicit Labeller(AuditCalls calls)
      : config_(ConfigWith(calls)),
        audit_(config_.audit, std::make_unique<test::NowhereTarget>()),
        reports_(audit_) {}

  void Label(const ttrpc::RequestView& request, Call* call) {
    PeerAudit(config_, reports_, identity_)
        .Label({.request = request, .id = 1, .flags = 0, .bytes = 0}, call);
  }

 private:
  const Config config_;
  Audit audit_;
  Reports reports_;
  const PeerIdentity identity_;
};

CallLabel LabelWith(AuditCalls calls, const ttrpc::RequestView& request) {
  Call call{StreamState(0)};
  Labeller(calls).Label(request, &call);
  return call.label;
}

// A call may last long, and a peer may have many, so a malformed value is not kept.
TEST(PeerAuditTest, KeepsATraceparentOnlyIfItIsOne) {
  const auto kept_of = [](const std::string& value) {
    const CallLabel label =
        LabelWith(AuditCalls::kAll, test::Call("/s/M", {{.key = "TraceParent", .value = value}}));
    return std::string(label.traceparent());
  };
  EXPECT_EQ(kept_of(kTrace), kTrace);
  EXPECT_EQ(kept_of(std::string(1 << 20, 'x')), "");
  EXPECT_EQ(kept_of(kTrace + std::string(1 << 20, 'x')), "");
}

// Listings of the calls in flight show the names.
TEST(PeerAuditTest, KeepsTheNamesOfACallWhateverIsAudited) {
  for (const AuditCalls calls : {AuditCalls::kNone, AuditCalls::kDenied, AuditCalls::kAll}) {
    const CallLabel label = LabelWith(calls, test::Call("/s/M"));
    EXPECT_EQ(label.service(), "s");
    EXPECT_EQ(label.method(), "M");
  }
}

// Names are kept of every call, which must not allocate each time.
TEST(PeerAuditTest, LabelsACallInTheMemoryOfTheLast) {
  Labeller labeller(AuditCalls::kAll);
  const ttrpc::RequestView request =
      test::Call("/a.service.with.a.name.that.is.long/AndAMethodWhoseNameIsLongAsWell",
                 {{.key = "traceparent", .value = kTrace}});
  Call call{StreamState(0)};
  labeller.Label(request, &call);
  const size_t before = test::AllocationCount();
  for (int i = 0; i < 10; ++i) {
    call.Reset();
    EXPECT_EQ(call.label.service(), "");
    EXPECT_EQ(call.label.method(), "");
    EXPECT_EQ(call.label.traceparent(), "");
    labeller.Label(request, &call);
  }
  EXPECT_EQ(test::AllocationCount(), before);
  EXPECT_EQ(call.label.service(), request.service);
  EXPECT_EQ(call.label.method(), request.method);
  EXPECT_EQ(call.label.traceparent(), kTrace);
}

}  // namespace
}  // namespace proxyd
