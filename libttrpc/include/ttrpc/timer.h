// SPDX-License-Identifier: Apache-2.0
//
// Timer: calls back once, on the loop's thread, after a delay. Call all functions on that thread. A
// timer that was never started costs its loop nothing.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "ttrpc/io_loop.h"

namespace ttrpc {

class Timer {
 public:
  // `loop` must outlive the timer. The timer owns `callback`, which must not be null, and may start
  // or destroy the timer. The callback is copied for each call, so it should capture little.
  Timer(IoLoop& loop, std::function<void()> callback)
      : loop_(loop), callback_(std::move(callback)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  // Calls Stop().
  ~Timer() = default;

  // Starts the timer, or starts it again. It fires after at least `delay`, and never within this
  // call. A negative delay counts as zero. Ends the program if there is no memory, because a
  // deadline that is silently lost would be worse.
  void Start(std::chrono::nanoseconds delay);
  // Stops the timer: the callback is not called until the next Start(). May be called at any time.
  void Stop();
  // Returns true from Start() until the callback is called or Stop().
  bool active() const;

 private:
  IoLoop& loop_;
  std::function<void()> callback_;
  EventPtr event_;
};

}  // namespace ttrpc
