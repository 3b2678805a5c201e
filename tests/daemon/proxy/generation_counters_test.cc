// SPDX-License-Identifier: Apache-2.0
//
// Which pairs of a listener and a rule have counters from the start, and which get them when they
// first occur.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "proxy/generation.h"
#include "support/policy_builder.h"
#include "ttrpc/event_loop.h"

namespace proxyd {
namespace {

SnapshotPtr SnapshotOf(size_t listeners, size_t rules) {
  Config config = test::ConfigOf({});
  const ListenerConfig listener = config.listeners.front();
  config.listeners.clear();
  for (size_t i = 0; i < listeners; ++i) {
    config.listeners.push_back(listener);
    config.listeners.back().name = "l" + std::to_string(i);
    config.listeners.back().address = PassedSocket{"l" + std::to_string(i)};
  }
  for (size_t i = 0; i < rules; ++i) {
    RuleConfig rule = test::Deny({"/s/M"});
    rule.name = "r" + std::to_string(i);
    rule.every_listener = true;
    rule.listeners.clear();
    config.rules.push_back(std::move(rule));
  }
  return std::make_shared<const Snapshot>(std::move(config), test::kOverflow);
}

class GenerationCountersTest : public ::testing::Test {
 protected:
  Generation::Context context() {
    return {.loop = loop_.io(), .labeled_counters = labeled_counters_};
  }

  ttrpc::EventLoop loop_;
  LabeledCounters labeled_counters_;
};

TEST_F(GenerationCountersTest, FewPairsAreThereFromTheStart) {
  const auto generation = MakeRef<Generation>(context(), SnapshotOf(2, 3));
  EXPECT_EQ(labeled_counters_.rules().size(), 2U * (1 + 3));
}

TEST_F(GenerationCountersTest, OfManyPairsThoseThatMeet) {
  const auto first = MakeRef<Generation>(context(), SnapshotOf(100, 100));
  EXPECT_EQ(labeled_counters_.listeners().size(), 100U);
  EXPECT_TRUE(labeled_counters_.rules().empty());
  first->rule_counters(*first->listener(99), 98).decisions += 2;
  first->rule_counters(*first->listener(99), 98).decisions += 1;
  first->rule_counters(*first->listener(0), std::nullopt).decisions += 1;
  ASSERT_EQ(labeled_counters_.rules().size(), 2U);
  // Existing counters stay and continue.
  const auto second = MakeRef<Generation>(context(), SnapshotOf(100, 200), *first);
  ++second->rule_counters(*second->listener(99), 98).decisions;
  ASSERT_EQ(labeled_counters_.rules().size(), 2U);
  EXPECT_EQ(labeled_counters_.rules().begin()->first.listener, "l0");
  EXPECT_EQ(labeled_counters_.rules().begin()->first.rule, "");
  const auto& [key, counted] = *labeled_counters_.rules().rbegin();
  EXPECT_EQ(key.listener, "l99");
  EXPECT_EQ(key.rule, "r98");
  EXPECT_EQ(counted.decisions, 4U);
}

}  // namespace
}  // namespace proxyd
