// SPDX-License-Identifier: Apache-2.0
#include "message_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

namespace ttrpc {
namespace {

TEST(MessageQueueTest, GivesWhatWasPutInInOrder) {
  MessageQueue queue;
  EXPECT_TRUE(queue.empty());
  std::deque<std::string> expected;
  // The seed is fixed, so that a failure can be repeated.
  std::minstd_rand random(1);  // NOLINT(cert-msc51-cpp,cert-msc32-c)
  for (int i = 0; i < 100000; ++i) {
    // Long phases of growth and of shrinkage alternate.
    const bool grows = (i / 1000) % 2 == 0;
    if (random() % 4 != 0 ? grows : !grows) {
      queue.push_back(std::to_string(i));
      expected.push_back(std::to_string(i));
    } else if (!expected.empty()) {
      ASSERT_EQ(queue.pop_front(), expected.front());
      expected.pop_front();
    }
    ASSERT_EQ(queue.empty(), expected.empty());
  }
  for (; !expected.empty(); expected.pop_front()) ASSERT_EQ(queue.pop_front(), expected.front());
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace ttrpc
