// SPDX-License-Identifier: Apache-2.0
//
// Tests that replies of the admin service fit into a message.
#include "admin/admin_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "observe/log.h"
#include "run/prepared_reload.h"
#include "ttrpc/address.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/message_size.h"

namespace proxyd {
namespace {

namespace v1 = ttrpc::proxy::v1;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using ttrpc::StatusCode;

constexpr size_t kMessage = ttrpc::kDefaultMessageSize;

class AdminServiceTest : public ::testing::Test, private AdminActions {
 protected:
  // Returns slightly more lines than fit into a message.
  static std::vector<std::string> TooManyLines() {
    return std::vector<std::string>(kMessage / 1000 + 1, "c.toml:1:1: " + std::string(1000, 'x'));
  }
  void Start(Config config) {
    proxy_ = std::make_unique<Proxy>(loop_.base(), MakeSnapshot(std::move(config)), reports_);
    info_ = std::make_unique<DaemonInfo>(DaemonInfo{
        .proxy = *proxy_, .reports = reports_, .started = {}, .loaded = {}, .digest = {}});
    service_ =
        std::make_unique<AdminService>(loop_.io(), *info_, static_cast<AdminActions&>(*this));
  }
  // AdminService overrides the methods as private; the tests call them through the interface.
  v1::Admin& service() { return *service_; }

  class Nowhere final : public AuditTarget {
   public:
    bool Write(std::string_view /*lines*/) override { return true; }
  };

  ttrpc::EventLoop loop_;
  Audit audit_{AuditConfig{}, std::make_unique<Nowhere>()};
  Reports reports_{audit_};
  std::unique_ptr<Proxy> proxy_;
  std::unique_ptr<DaemonInfo> info_;
  std::unique_ptr<AdminService> service_;
  ttrpc::Context context_;
  ReloadOutcome outcome_;  // returned by each reload

 private:
  void Reload() override { service_->Reloaded(outcome_); }
  void Drain(const std::string& /*asker*/) override {}
  std::unique_ptr<SlicedText> Metrics() override { return nullptr; }
};

// The configuration is in force even if its warnings do not fit into the reply.
TEST_F(AdminServiceTest, WarningsOfAReloadFitIntoAMessage) {
  Start({});
  outcome_.warnings = TooManyLines();
  const auto reply = loop_.Run(service().Reload(context_, v1::ReloadRequest()));
  ASSERT_TRUE(reply) << reply.error().ToString();
  EXPECT_LE(reply->ByteSizeLong(), kMessage);
  EXPECT_GT(reply->ByteSizeLong(), kMessage - kMessage / 50);
  const auto listed = static_cast<size_t>(reply->warnings_size()) - 1;
  EXPECT_EQ(*reply->warnings().rbegin(),
            "and " + std::to_string(outcome_.warnings.size() - listed) + " more warnings");
}

TEST_F(AdminServiceTest, FewWarningsAreListedInFull) {
  Start({});
  outcome_.warnings = {"one", "two"};
  const auto reply = loop_.Run(service().Reload(context_, v1::ReloadRequest()));
  ASSERT_TRUE(reply);
  EXPECT_THAT(reply->warnings(), ::testing::ElementsAre("one", "two"));
}

TEST_F(AdminServiceTest, ErrorsOfAReloadFitIntoAMessage) {
  Start({});
  outcome_.errors = TooManyLines();
  const auto reply = loop_.Run(service().Reload(context_, v1::ReloadRequest()));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), StatusCode::kFailedPrecondition);
  EXPECT_LE(reply.error().message().size(), kMessage - 512);
  EXPECT_THAT(reply.error().message(), StartsWith("c.toml:1:1: xx"));
  const std::string last = reply.error().message().substr(reply.error().message().rfind('\n') + 1);
  EXPECT_THAT(last, MatchesRegex("and [0-9]+ more errors"));
}

TEST_F(AdminServiceTest, WorkloadsAreListedForListenersThatDiscover) {
  ASSERT_TRUE(SetUpLog({}).ok());  // the status has its level
  Config config;
  config.listeners.push_back({.name = "fixed",
                              .address = ttrpc::Address::Parse("unix:///fixed").value(),
                              .discovery = {},
                              .access = {},
                              .timeouts = {},
                              .connections_per_user = {},
                              .position = {}});
  config.listeners.push_back({.name = "shims",
                              .address = SocketTemplate{"/fronts/{namespace}/{id}"},
                              .discovery = DiscoveryConfig{.directories = {"/no/such/state"}},
                              .access = {},
                              .timeouts = {},
                              .connections_per_user = {},
                              .position = {}});
  config.backends.emplace_back().name = "shim";
  config.backends.back().discovered = true;
  Start(std::move(config));

  v1::ListWorkloadsRequest request;
  for (const char* listener : {"", "shims"}) {
    request.set_listener(listener);
    const auto reply = loop_.Run(service().ListWorkloads(context_, request));
    ASSERT_TRUE(reply) << reply.error().ToString();
    EXPECT_EQ(reply->total(), 0U);
    EXPECT_FALSE(reply->cut());
  }
  request.set_listener("fixed");
  auto refused = loop_.Run(service().ListWorkloads(context_, request));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.error().message(),
            "listener \"fixed\" discovers nothing; name a listener with `discover`");
  request.set_listener("shim");
  refused = loop_.Run(service().ListWorkloads(context_, request));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), StatusCode::kNotFound);
  EXPECT_EQ(refused.error().message(), "no listener \"shim\"; did you mean \"shims\"?");

  const auto status = loop_.Run(service().GetStatus(context_, v1::GetStatusRequest()));
  ASSERT_TRUE(status);
  EXPECT_FALSE(status->listeners(0).has_workloads_served());
  EXPECT_TRUE(status->listeners(1).has_workloads_served());
  EXPECT_TRUE(status->listeners(1).has_workloads_faulty());
  const auto backends = loop_.Run(service().ListBackends(context_, v1::ListBackendsRequest()));
  ASSERT_TRUE(backends);
  EXPECT_THAT(backends->backends(0).addresses(), ::testing::ElementsAre("discovered"));
  ShutDownLog(std::chrono::steady_clock::now() + std::chrono::seconds(10));
}

// Each rule would allow the call for another user, so each gets a note.
TEST_F(AdminServiceTest, NotesOfAnExplanationFitIntoAMessage) {
  Config config;
  config.listeners.push_back({.name = "front",
                              .address = ttrpc::Address::Parse("unix:///front").value(),
                              .access = {},
                              .timeouts = {},
                              .connections_per_user = {},
                              .position = {}});
  config.backends.emplace_back().name = "back";
  for (size_t bytes = 0; bytes < kMessage;) {
    RuleConfig& rule = config.rules.emplace_back();
    rule.name = std::to_string(config.rules.size()) + std::string(120, 'r');
    rule.listeners = {0};
    rule.users.emplace().exact = {1};
    rule.methods.push_back({.service = "a.B", .method = "Get"});
    bytes += rule.name.size();
  }
  Start(std::move(config));
  v1::ExplainRequest request;
  request.set_uid(2);
  request.set_method("/a.B/Get");
  const auto reply = loop_.Run(service().Explain(context_, request));
  ASSERT_TRUE(reply) << reply.error().ToString();
  EXPECT_FALSE(reply->allowed());
  EXPECT_LE(reply->ByteSizeLong(), kMessage);
  ASSERT_GT(reply->notes_size(), 1000);
  EXPECT_THAT(*reply->notes().rbegin(), AllOf(StartsWith("and "), EndsWith(" more rules")));
}

}  // namespace
}  // namespace proxyd
