// SPDX-License-Identifier: Apache-2.0
//
// `co_await Until(waiter)` waits until the waiter is woken. Use it on the loop's thread.
#pragma once

#include <coroutine>

#include "ttrpc/io_loop.h"

namespace ttrpc {

class Until {
 public:
  // `waiter` must outlive this object, and no other coroutine may wait for it.
  explicit Until(Waiter& waiter) : waiter_(waiter) {}
  ~Until() { waiter_.Cancel(); }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) { waiter_.Wait(waiting); }
  void await_resume() const noexcept {}

 private:
  Waiter& waiter_;
};

}  // namespace ttrpc
