// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/task.h"

#include <string>

namespace ttrpc {

Status task_internal::StatusOfException() noexcept {
  try {
    throw;
  } catch (const std::exception& exception) {
    return {StatusCode::kInternal, std::string("unhandled exception: ") + exception.what()};
  } catch (...) {
    return {StatusCode::kInternal, "unhandled exception"};
  }
}

// The coroutine around a spawned task. It destroys itself when it has ended, or is destroyed by its
// group; either way it leaves the group's list.
struct TaskGroup::RunnerPromise {
  RunnerPromise(TaskGroup* group, Task<void>&) : next(group->first_), link(&group->first_) {
    if (next != nullptr) next->link = &next;
    group->first_ = this;
  }
  RunnerPromise(const RunnerPromise&) = delete;
  RunnerPromise& operator=(const RunnerPromise&) = delete;
  ~RunnerPromise() {
    *link = next;
    if (next != nullptr) next->link = link;
  }

  Runner get_return_object() noexcept;
  std::suspend_never initial_suspend() noexcept { return {}; }
  std::suspend_never final_suspend() noexcept { return {}; }
  void return_void() noexcept {}
  void unhandled_exception() noexcept { std::terminate(); }

  RunnerPromise* next;
  RunnerPromise** link;  // what points at this
};

struct TaskGroup::Runner {
  using promise_type = RunnerPromise;
};

TaskGroup::Runner TaskGroup::RunnerPromise::get_return_object() noexcept { return {}; }

TaskGroup::Runner TaskGroup::Run(TaskGroup*, Task<void> task) { co_await std::move(task); }

void TaskGroup::Spawn(Task<void> task) { Run(this, std::move(task)); }

void TaskGroup::Clear() {
  // Each leaves the list as it is destroyed, and may take others along.
  while (first_ != nullptr) {
    std::coroutine_handle<RunnerPromise>::from_promise(*first_).destroy();
  }
}

}  // namespace ttrpc
