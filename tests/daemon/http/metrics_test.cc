// SPDX-License-Identifier: Apache-2.0
//
// Tests that no slice is long, however many users are connected and [metrics] users shows.
#include "http/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "http/status_page.h"
#include "ttrpc/address.h"
#include "ttrpc/event_loop.h"

namespace proxyd {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kShown = 2000;
constexpr uint32_t kUsers = 3000;
constexpr uid_t kFirst = 100'000;

// A slice may exceed its size by one entry, which is at most this long.
constexpr size_t kLongest = 8192;

class MetricsTest : public ::testing::Test {
 protected:
  MetricsTest() { info_.digest = "0a1b"; }

  static SnapshotPtr MakeSnapshotForUsers() {
    Config config;
    config.metrics.emplace(MetricsConfig{.address = ttrpc::Address::Parse("unix:///m").value(),
                                         .access = {},
                                         .users = kShown,
                                         .position = {}});
    config.listeners.push_back({.name = "agents",
                                .address = SocketTemplate{"/fronts/{name}"},
                                .discovery = DiscoveryConfig{.source = DiscoverySource::kDirectory,
                                                             .directories = {"/no/such/directory"}},
                                .access = {},
                                .timeouts = {},
                                .connections_per_user = {},
                                .position = {}});
    config.backends.emplace_back().name = "agent";
    config.backends.back().discovered = true;
    return std::make_shared<const Snapshot>(std::move(config), OverflowIds{});
  }
  void Connect(uid_t uid) {
    auto slot = proxy_.accounting().Connect(uid, listener_, {}, std::chrono::steady_clock::now());
    ASSERT_TRUE(std::holds_alternative<ConnectionSlot>(slot));
    slots_.push_back(std::get<ConnectionSlot>(std::move(slot)));
  }
  static std::string Make(SlicedText* text) {
    std::string made;
    for (bool more = true; more;) {
      const size_t before = made.size();
      more = text->AppendSlice(&made);
      EXPECT_LT(made.size() - before, SlicedText::kSliceBytes + kLongest);
    }
    return made;
  }

  class NoTarget final : public AuditTarget {
   public:
    bool Write(std::string_view /*lines*/) override { return true; }
  };

  const ListenerConfig listener_{.name = "front",
                                 .address = ttrpc::Address::Parse("unix:///x").value(),
                                 .access = {},
                                 .timeouts = {},
                                 .connections_per_user = {},
                                 .position = {}};
  ttrpc::EventLoop loop_;
  Audit audit_{AuditConfig{}, std::make_unique<NoTarget>()};
  Reports reports_{audit_};
  Proxy proxy_{loop_.base(), MakeSnapshotForUsers(), reports_};
  DaemonInfo info_{.proxy = proxy_, .reports = reports_, .started = {}, .loaded = {}, .digest = {}};
  std::vector<ConnectionSlot> slots_;
};

TEST_F(MetricsTest, ManyUsersMakeNoLongSlice) {
  for (uid_t i = 0; i < kUsers; ++i) Connect(kFirst + i);
  Connect(kFirst + kUsers - 1);
  const std::string text = Make(MetricsText(info_, MetricsParts::kWithoutProcess).get());
  const std::string name = "\nttrpc_proxy_user_connections";
  EXPECT_THAT(text, HasSubstr(name + "{uid=\"" + std::to_string(kFirst + kUsers - 1) + "\"} 2" +
                              name + "{uid=\"100000\"} 1" + name + "{uid=\"100001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(name + "{uid=\"other\"} " + std::to_string(kUsers - kShown) + "\n"));
  size_t series = 0;
  for (size_t at = text.find(name + "{"); at != text.npos; at = text.find(name + "{", at + 1))
    ++series;
  EXPECT_EQ(series, kShown + 1);
}

TEST_F(MetricsTest, WorkloadsHaveASeriesForEachListenerThatDiscovers) {
  const std::string text = Make(MetricsText(info_, MetricsParts::kWithoutProcess).get());
  EXPECT_THAT(text, HasSubstr("\n# TYPE ttrpc_proxy_workloads gauge\n"
                              "ttrpc_proxy_workloads{listener=\"agents\",state=\"served\"} 0\n"
                              "ttrpc_proxy_workloads{listener=\"agents\",state=\"faulty\"} 0\n"));
}

TEST_F(MetricsTest, StatusPageHasWorkloadsAndTheirBackend) {
  const auto status = nlohmann::json::parse(Make(StatusJson(info_).get()));
  EXPECT_EQ(status["workloads"], nlohmann::json::array());
  EXPECT_EQ(status["workloads_total"], 0);
  EXPECT_EQ(status["listeners"][0]["discovers"], true);
  EXPECT_EQ(status["backends"][0]["addresses"], nlohmann::json::array({"discovered"}));
}

// StatusJson() runs in the turn of the loop that reads the request, so it must not visit all users.
TEST_F(MetricsTest, StatusPageCountsUsersWhenTheirSliceIsMade) {
  const std::unique_ptr<SlicedText> text = StatusJson(info_);
  for (const uid_t uid : {kFirst, kFirst + 1, kFirst + 1}) Connect(uid);
  const auto status = nlohmann::json::parse(Make(text.get()));
  EXPECT_EQ(status["users_total"], 2);
  ASSERT_EQ(status["users"].size(), 2U);
  EXPECT_EQ(status["users"][0]["uid"], kFirst + 1) << "this user is nearest to a limit";
  EXPECT_EQ(status["users"][1]["uid"], kFirst);
}

}  // namespace
}  // namespace proxyd
