// SPDX-License-Identifier: Apache-2.0
//
// How a test waits for what a loop does. On the loop's thread.
#pragma once

#include <event2/event.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>

#include "ttrpc/event_loop.h"
#include "ttrpc/timer.h"

namespace test {

// Turns the loop until `done`, or until a generous deadline fails the test.
inline void RunUntil(ttrpc::EventLoop& loop, const std::function<bool()>& done) {
  bool late = false;
  ttrpc::Timer deadline(loop.io(), [&late] { late = true; });
  deadline.Start(std::chrono::seconds(60));
  while (!done()) {
    ASSERT_FALSE(late);
    event_base_loop(loop.base(), EVLOOP_ONCE);
  }
}

}  // namespace test
