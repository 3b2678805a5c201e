// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/task.h"

#include <string>
#include <utility>

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

Status task_internal::StatusOfSecondAwait() noexcept {
  return {StatusCode::kFailedPrecondition, "ttrpc: task already awaited"};
}

void TaskGroup::Spawn(Task<void> task) {
  const auto coroutine = std::exchange(task.coroutine_, nullptr);
  task_internal::Promise<void>& promise = coroutine.promise();
  promise.next = first_;
  promise.link = &first_;
  if (first_ != nullptr) first_->link = &promise.next;
  first_ = &promise;
  coroutine.resume();
}

void TaskGroup::Clear() {
  // Each task leaves the list when it is destroyed, and may destroy others.
  while (first_ != nullptr) {
    std::coroutine_handle<task_internal::Promise<void>>::from_promise(*first_).destroy();
  }
}

}  // namespace ttrpc
