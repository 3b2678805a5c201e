// SPDX-License-Identifier: Apache-2.0
//
// Timer: calls back once, on the loop's thread, after a time. All functions are called on that
// thread. A timer that was never started costs its loop nothing.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "ttrpc/io_loop.h"

namespace ttrpc {

class Timer {
 public:
  // `loop` must outlive the timer. The timer owns `callback`, which must not be null, and may start
  // or destroy the timer. It is copied each time that it is called, so it should capture little.
  Timer(IoLoop& loop, std::function<void()> callback)
      : loop_(loop), callback_(std::move(callback)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  // Stop().
  ~Timer() = default;

  // Starts the timer, or starts it again. It fires no sooner than after `delay`, and never from
  // within this call; a negative delay counts as zero. Ends the program if there is no memory for
  // it: a deadline that is silently lost would be worse.
  void Start(std::chrono::nanoseconds delay);
  // The callback is not called any more, until the next Start(). May be called at any time.
  void Stop();
  // True from Start() until the callback is called, or Stop().
  bool active() const;

 private:
  IoLoop& loop_;
  std::function<void()> callback_;
  EventPtr event_;
};

}  // namespace ttrpc
