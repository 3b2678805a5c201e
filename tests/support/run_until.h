// SPDX-License-Identifier: Apache-2.0
//
// RunUntil: waits in a test for an effect of the loop. On the loop's thread.
#pragma once

#include <event2/event.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>

#include "ttrpc/event_loop.h"
#include "ttrpc/timer.h"

namespace test {

// Runs the loop until `done` returns true. After a generous deadline the test fails.
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
