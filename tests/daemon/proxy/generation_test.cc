// SPDX-License-Identifier: Apache-2.0
#include "proxy/generation.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/policy_builder.h"
#include "ttrpc/event_loop.h"

namespace proxyd {
namespace {

// The name and the address of each listener.
using Listeners = std::vector<std::pair<std::string, std::string>>;

SnapshotPtr SnapshotOf(const Listeners& listeners) {
  Config config = test::ConfigOf({});
  const ListenerConfig like = config.listeners[0];
  config.listeners.clear();
  for (const auto& [name, address] : listeners) {
    ListenerConfig& listener = config.listeners.emplace_back(like);
    listener.name = name;
    if (address.starts_with("systemd:")) {
      listener.address = PassedSocket{address.substr(8)};
    } else {
      listener.address = ttrpc::Address::Parse(address).value();
    }
  }
  return std::make_shared<const Snapshot>(std::move(config), test::kOverflow);
}

constexpr char kPub[] = "unix:///pub";
constexpr char kPriv[] = "unix:///priv";

struct ReloadCase {
  const char* what;
  Listeners before;
  Listeners after;
  // Each element belongs to a listener of `before`. It is the name that the listener of its peers
  // has afterwards, with "-" in front if the listener was removed.
  std::vector<std::string> become;
};

const ReloadCase kReloadCases[] = {
    {"the same", {{"a", kPub}}, {{"a", kPub}}, {"a"}},
    {"at another index", {{"a", kPub}, {"b", kPriv}}, {{"b", kPriv}, {"a", kPub}}, {"a", "b"}},
    {"the name moves to another socket", {{"s1", kPub}}, {{"s1", kPriv}, {"s2", kPub}}, {"s2"}},
    {"swapped", {{"a", kPub}, {"b", kPriv}}, {{"a", kPriv}, {"b", kPub}}, {"b", "a"}},
    {"renamed", {{"a", kPub}}, {{"b", kPub}}, {"b"}},
    {"removed", {{"a", kPub}, {"b", kPriv}}, {{"b", kPriv}}, {"-a", "b"}},
    {"another one takes its address", {{"a", kPub}}, {{"new", kPub}, {"a", kPriv}}, {"new"}},
    {"its address changes", {{"a", kPub}}, {{"a", kPriv}}, {"-a"}},
    {"passed", {{"a", "systemd:x"}}, {{"b", "systemd:x"}, {"a", "systemd:y"}}, {"b"}},
    {"all go", {{"a", kPub}, {"b", kPriv}}, {}, {"-a", "-b"}},
};

std::string NameOf(const ListenerState& listener) {
  return (listener.index ? "" : "-") + listener.config.name;
}

class GenerationTest : public testing::Test {
 protected:
  Ref<Generation> First(const Listeners& listeners) {
    return MakeRef<Generation>(context_, SnapshotOf(listeners));
  }
  Ref<Generation> Next(const Listeners& listeners, const Ref<Generation>& before) {
    return MakeRef<Generation>(context_, SnapshotOf(listeners), *before);
  }

  ttrpc::EventLoop loop_;
  LabeledCounters labeled_counters_;
  const Generation::Context context_{.loop = loop_.io(), .labeled_counters = labeled_counters_};
};

TEST_F(GenerationTest, PeersBelongToTheSocketByWhichTheyCame) {
  for (const ReloadCase& c : kReloadCases) {
    const auto before = First(c.before);
    std::vector<Ref<ListenerState>> of_peers;
    for (size_t i = 0; i < c.before.size(); ++i) of_peers.push_back(before->listener(i));
    const auto after = Next(c.after, before);
    std::vector<std::string> become;
    for (const auto& listener : of_peers) {
      become.push_back(NameOf(*listener));
      if (listener->index) {
        EXPECT_EQ(after->listener(*listener->index), listener) << c.what;
      }
    }
    EXPECT_EQ(become, c.become) << c.what;
    for (size_t i = 0; i < c.after.size(); ++i) EXPECT_EQ(after->listener(i)->index, i) << c.what;
  }
}

TEST_F(GenerationTest, ASocketThatIsGoneDoesNotComeBack) {
  const auto first = First({{"a", kPub}});
  const Ref<ListenerState> of_peers = first->listener(0);
  const auto second = Next({}, first);
  const auto third = Next({{"a", kPub}}, second);
  EXPECT_EQ(NameOf(*of_peers), "-a");
  EXPECT_NE(third->listener(0), of_peers);
  EXPECT_EQ(second->removed(), std::vector{of_peers});
  EXPECT_TRUE(third->removed().empty());
}

TEST_F(GenerationTest, WhatPeersOfARemovedListenerDoCountsUnderItsName) {
  const auto first = First({{"a", kPub}, {"b", kPriv}});
  const Ref<ListenerState> a = first->listener(0);
  const Ref<ListenerState> b = first->listener(1);
  const auto second = Next({}, first);
  const MethodLabels labels = {.service = "s", .method = "m"};
  ++second->rule_counters(*a, std::nullopt).decisions;
  second->method_counters(*a, std::nullopt, labels).Count(ttrpc::StatusCode::kOk);
  second->method_counters(*b, std::nullopt, labels).Count(ttrpc::StatusCode::kOk);
  EXPECT_EQ(&second->listener_counters(*a), &labeled_counters_.Listener("a"));
  EXPECT_EQ(&second->rule_counters(*a, std::nullopt), &first->rule_counters(*a, std::nullopt));
  EXPECT_EQ(labeled_counters_.methods().size(), 2U);
}

// Returns a configuration with these backends.
SnapshotPtr SnapshotWith(std::vector<BackendConfig> backends) {
  Config config = test::ConfigOf({});
  config.backends = std::move(backends);
  return std::make_shared<const Snapshot>(std::move(config), test::kOverflow);
}

BackendConfig BackendAt(const std::string& name, const std::string& path) {
  return {.name = name,
          .addresses = {ttrpc::Address::Parse("unix://" + path).value()},
          .users = {0},
          .position = {}};
}

TEST_F(GenerationTest, ABackendThatLeadsWhereItDidStaysTheSame) {
  const auto before = MakeRef<Generation>(
      context_, SnapshotWith({BackendAt("a", "/a"), BackendAt("b", "/b"), BackendAt("c", "/c")}));
  BackendConfig slower = BackendAt("a", "/a");
  slower.connect_timeout = std::chrono::seconds(7);
  const auto after =
      MakeRef<Generation>(context_, SnapshotWith({BackendAt("b", "/elsewhere"), slower}), *before);
  EXPECT_EQ(after->backend(1), before->backend(0)) << "at another index";
  EXPECT_EQ(after->backend(1)->config().connect_timeout, std::chrono::seconds(7));
  EXPECT_NE(after->backend(0), before->backend(1));
  EXPECT_TRUE(after->Has(*before->backend(0)));
  EXPECT_FALSE(after->Has(*before->backend(1))) << "calls must not go to the old address";
  EXPECT_FALSE(after->Has(*before->backend(2))) << "removed";
  EXPECT_EQ(&after->backend(0)->counters(), &before->backend(1)->counters()) << "by name";
}

// An attempt at the old address may end long after the reload.
TEST_F(GenerationTest, WhetherABackendIsUpIsWhatAttemptsAtItsPresentAddressSay) {
  const auto before = MakeRef<Generation>(
      context_, SnapshotWith({BackendAt("b", "/old"), BackendAt("gone", "/g")}));
  const auto between =
      MakeRef<Generation>(context_, SnapshotWith({BackendAt("b", "/new")}), *before);
  const auto after = MakeRef<Generation>(
      context_, SnapshotWith({BackendAt("b", "/new"), BackendAt("gone", "/back")}), *between);
  const auto now = Backend::Clock::now();
  const ttrpc::Status failure(ttrpc::StatusCode::kNotFound, "of the old address");
  const BackendCounters& counters = after->backend(0)->counters();
  before->backend(0)->Succeeded(0);
  EXPECT_FALSE(counters.tried);
  after->backend(0)->Succeeded(0);
  before->backend(0)->Failed({.address = 0, .begun = now}, failure, now);
  EXPECT_TRUE(counters.up);
  EXPECT_EQ(counters.last_error, "");
  EXPECT_EQ(counters.connects, 2U);
  EXPECT_EQ(counters.connects_failed, 1U);
  after->backend(0)->Failed({.address = 0, .begun = now}, failure, now);
  EXPECT_FALSE(counters.up);
  EXPECT_EQ(counters.last_error, "of the old address");
  // A later reload may add a removed backend again.
  before->backend(1)->Failed({.address = 0, .begun = now}, failure, now);
  EXPECT_FALSE(after->backend(1)->counters().tried);
}

SnapshotPtr SnapshotWithGroups(std::vector<uint32_t> groups) {
  RuleConfig rule = test::Allow({"/s/M"});
  rule.groups = test::Ids(std::move(groups));
  return std::make_shared<const Snapshot>(test::ConfigOf({rule}), test::kOverflow);
}

TEST_F(GenerationTest, KnowsGroupsThatWereReadForTheSameRulesOrMore) {
  const auto first = MakeRef<Generation>(context_, SnapshotWithGroups({7, 9}));
  const auto second = MakeRef<Generation>(context_, SnapshotWithGroups({9}), *first);
  const auto third = MakeRef<Generation>(context_, SnapshotWithGroups({8}), *second);
  const auto none = First({});
  const PeerGroups groups = {.groups = {9}, .filter = first->policy().group_filter()};
  EXPECT_TRUE(first->Knows(groups));
  EXPECT_TRUE(second->Knows(groups));
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(third->Knows(groups)) << "and remembers it";
  EXPECT_TRUE(none->Knows(groups));
  EXPECT_TRUE(none->Knows({})) << "no rule asks for any";
  EXPECT_FALSE(first->Knows({})) << "they were not read yet";
}

}  // namespace
}  // namespace proxyd
