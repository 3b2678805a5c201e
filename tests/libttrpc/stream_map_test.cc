// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/stream_map.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

namespace ttrpc {
namespace {

using Map = StreamMap<std::unique_ptr<uint32_t>>;

TEST(StreamMapTest, DoesWhatAMapDoes) {
  std::mt19937 random(42);  // NOLINT: the same every time
  Map map;
  std::map<uint32_t, uint32_t> expected;
  for (int round = 0; round < 200'000; ++round) {
    // A few ids come and go, at both ends of the range.
    auto id = static_cast<uint32_t>(random() % 400 * 2 + 1);
    if (random() % 4 == 0) id = 0xffff'ffff - id + 1;
    if (expected.contains(id)) {
      ASSERT_NE(map.Find(id), nullptr);
      ASSERT_EQ(**map.Find(id), expected[id]);
      map.Erase(id);
      expected.erase(id);
    } else {
      ASSERT_EQ(map.Find(id), nullptr);
      map.Erase(id);
      map.Insert(id, std::make_unique<uint32_t>(static_cast<uint32_t>(round)));
      expected[id] = static_cast<uint32_t>(round);
    }
    ASSERT_EQ(map.size(), expected.size());
  }
  for (const auto& [id, value] : expected) ASSERT_EQ(**map.Find(id), value);
  size_t visited = 0;
  map.ForEach([&visited](const auto&) { ++visited; });
  EXPECT_EQ(visited, expected.size());
  map.Clear();
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.Find(1), nullptr);
}

TEST(StreamMapTest, EmptiedAfterManyItHoldsNothing) {
  Map map;
  for (uint32_t id = 1; id < 20'000; id += 2) map.Insert(id, std::make_unique<uint32_t>(id));
  for (uint32_t id = 1; id < 20'000; id += 2) map.Erase(id);
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.Find(1), nullptr);
  map.Insert(1, std::make_unique<uint32_t>(7));
  EXPECT_EQ(**map.Find(1), 7U);
}

// A map that keeps one entry of many must not keep the memory of all.
TEST(StreamMapTest, MemoryFollowsWhatIsLeft) {
  StreamMap<int*> map;
  int value = 0;
  for (uint32_t id = 1; id <= 1024; ++id) map.Insert(id, &value);
  EXPECT_GE(map.capacity(), 2048U);
  for (uint32_t id = 1; id < 1024; ++id) {
    map.Erase(id);
    ASSERT_LE(map.capacity(), std::max<size_t>(64, (1024 - id) * 8));
    ASSERT_NE(map.Find(1024), nullptr);
  }
  // Adding and removing one entry in turn does not resize the map.
  const size_t capacity = map.capacity();
  for (int i = 0; i < 100; ++i) {
    map.Insert(5, &value);
    ASSERT_EQ(map.capacity(), capacity);
    map.Erase(5);
    ASSERT_EQ(map.capacity(), capacity);
  }
}

TEST(StreamMapTest, MultiplierIsOddAndStays) {
  EXPECT_EQ(stream_map_internal::Multiplier() % 2, 1U);
  EXPECT_EQ(stream_map_internal::Multiplier(), stream_map_internal::Multiplier());
}

}  // namespace
}  // namespace ttrpc
