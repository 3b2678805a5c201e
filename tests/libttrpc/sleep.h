// SPDX-License-Identifier: Apache-2.0
//
// `co_await Sleep(loop, time)` resumes after that time. Use it on the loop's thread.
#pragma once

#include <chrono>
#include <coroutine>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"

namespace ttrpc {

class Sleep {
 public:
  // `loop` must outlive this object.
  Sleep(IoLoop& loop, std::chrono::nanoseconds time)
      : time_(time), waiter_(loop), timer_(loop, [this] { waiter_.Wake(); }) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    waiter_.Wait(waiting);
    timer_.Start(time_);
  }
  void await_resume() const noexcept {}

 private:
  const std::chrono::nanoseconds time_;
  Waiter waiter_;
  Timer timer_;
};

}  // namespace ttrpc
