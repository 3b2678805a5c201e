// SPDX-License-Identifier: Apache-2.0
#include "send_queue.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <array>
#include <deque>
#include <random>
#include <string>

namespace ttrpc {
namespace {

TEST(SendQueueTest, GivesBackTheBytesInOrderWhateverTheSizes) {
  std::mt19937 random(7);  // NOLINT: the same every time
  BlockPool pool;
  SendQueue queue(pool);
  std::string expected;
  std::string got;
  for (int round = 0; round < 3000; ++round) {
    const size_t n = random() % (round % 50 == 0 ? 100'000 : 500);
    char* place = queue.Extend(n);
    for (size_t i = 0; i < n; ++i) expected.push_back(place[i] = static_cast<char>(random()));
    ASSERT_EQ(queue.size(), expected.size() - got.size());

    std::array<iovec, 3> parts;
    const size_t used = queue.Gather(parts);
    std::string front;
    for (size_t i = 0; i < used; ++i)
      front.append(static_cast<char*>(parts[i].iov_base), parts[i].iov_len);
    const size_t gone = front.empty() ? 0 : random() % (front.size() + 1);
    got.append(front, 0, gone);
    queue.Consume(gone);
    ASSERT_EQ(queue.empty(), got.size() == expected.size());
  }
  while (!queue.empty()) {
    std::array<iovec, 64> parts;
    ASSERT_GT(queue.Gather(parts), 0U);
    got.append(static_cast<char*>(parts[0].iov_base), parts[0].iov_len);
    queue.Consume(parts[0].iov_len);
  }
  EXPECT_EQ(got, expected);
}

TEST(SendQueueTest, ClearedItIsEmpty) {
  BlockPool pool;
  SendQueue queue(pool);
  for (int i = 0; i < 100; ++i) *queue.Extend(20'000) = 'x';
  queue.Clear();
  std::array<iovec, 4> parts;
  EXPECT_EQ(queue.Gather(parts), 0U);
  EXPECT_TRUE(queue.empty());
}

size_t FirstBlockSize(const SendQueue& queue) {
  std::array<iovec, 1> parts;
  EXPECT_EQ(queue.Gather(parts), 1U);
  return malloc_usable_size(parts[0].iov_base);
}

// A burst on thousands of connections must not allocate and touch a whole block for each.
TEST(SendQueueTest, ShortMessagesInManyQueuesAtOnceTakeSmallBlocks) {
  BlockPool pool;
  std::deque<SendQueue> queues;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 1000; ++i) *queues.emplace_back(pool).Extend(100) = 'x';
    size_t whole = 0;
    for (const SendQueue& queue : queues) {
      if (FirstBlockSize(queue) >= BlockPool::kBlockSize) ++whole;
    }
    EXPECT_EQ(whole, 32U) << round;  // the pool keeps this many for the next burst
    queues.clear();                  // gives them back
  }
}

TEST(SendQueueTest, AQueueThatGrowsGetsLargerBlocksWhateverOthersHave) {
  BlockPool pool;
  std::deque<SendQueue> queues;
  for (int i = 0; i < 100; ++i) *queues.emplace_back(pool).Extend(100) = 'x';
  for (int i = 0; i < 100; ++i) *queues.back().Extend(1000) = 'y';
  std::array<iovec, 64> parts;
  EXPECT_LE(queues.back().Gather(parts), 10U);
}

}  // namespace
}  // namespace ttrpc
