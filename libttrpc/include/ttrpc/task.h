// SPDX-License-Identifier: Apache-2.0
//
// Task<T>: an asynchronous call, which is awaited with co_await. A coroutine that returns Task<T>
// starts when it is awaited, on the awaiter's thread, and passes its value to the awaiter when it
// ends. The task owns the coroutine: destroying the task ends the coroutine at the point where it
// waits, destroys its local variables and abandons whatever it waited for. Arguments that a
// coroutine takes by reference must outlive its task.
//
// TaskGroup: runs tasks that nobody awaits.
//
// HAZARD: g++ 12 copies an aggregate that is passed as a temporary within a co_await expression
// byte by byte, and destroys it twice. Give each type that passes through a task a constructor.
// This library's own types have one where it matters.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "ttrpc/status.h"

namespace ttrpc {

template <typename T = void>
class Task;

namespace task_internal {

struct PromiseBase {
  // The coroutine that awaits this one, set once this one has suspended. A task that ends without
  // suspending returns to its awaiter directly: a loop over such tasks must not grow the stack, and
  // g++ 12 does not make tail calls of resumptions in every build mode.
  std::coroutine_handle<> continuation;

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      const std::coroutine_handle<> next = ended.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {}; }
};

// Returns the status for an escaped exception: INTERNAL, with its what().
Status StatusOfException() noexcept;

// Returns FAILED_PRECONDITION `ttrpc: task already awaited`.
Status StatusOfSecondAwait() noexcept;

template <typename T>
struct Promise : PromiseBase {
  std::optional<T> value;
  bool taken = false;

  Task<T> get_return_object() noexcept;
  template <typename U>
  void return_value(U&& returned) {
    value.emplace(std::forward<U>(returned));
  }
  void unhandled_exception() noexcept {
    if constexpr (std::is_constructible_v<T, Status>) {
      value.emplace(StatusOfException());
    } else {
      std::terminate();
    }
  }
};

// Takes the value of a task that has ended. The value that it leaves behind must not pass for a
// second one.
template <typename T>
T Take(std::coroutine_handle<Promise<T>> ended) noexcept(std::is_nothrow_move_constructible_v<T>) {
  if (ended && !std::exchange(ended.promise().taken, true))
    return std::move(*ended.promise().value);
  if constexpr (std::is_constructible_v<T, Status>) return T(StatusOfSecondAwait());
  std::terminate();
}

template <>
struct Promise<void> : PromiseBase {
  // A task in a TaskGroup destroys its own coroutine when it has ended.
  struct FinalAwaiter : PromiseBase::FinalAwaiter {
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      if (ended.promise().link == nullptr) return PromiseBase::FinalAwaiter::await_suspend(ended);
      ended.destroy();
      return std::noop_coroutine();
    }
  };

  Promise() = default;
  ~Promise() {
    if (link == nullptr) return;
    *link = next;
    if (next != nullptr) next->link = link;
  }
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  Task<void> get_return_object() noexcept;
  FinalAwaiter final_suspend() noexcept { return {}; }
  void return_void() noexcept {}
  void unhandled_exception() noexcept { std::terminate(); }

  // The links of its group's list. `link` is null if the task is in no group.
  Promise* next = nullptr;
  Promise** link = nullptr;  // the pointer that points at this
};

}  // namespace task_internal

// A task has no value to give if an exception escapes its coroutine, or if it is awaited after it
// has ended or has been moved from. What happens then depends on T:
// - A T that can be constructed from a Status reports the fault. These are Status, Result<U> and
//   std::optional of either. The value is INTERNAL with the text of the exception, or
//   FAILED_PRECONDITION `ttrpc: task already awaited`.
// - Any other T, such as int or std::optional<Message>, cannot report it, so each of these faults
//   ends the program by std::terminate().
// - A Task<void> ends the program in the same way, except that awaiting it again after it has ended
//   does nothing.
template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = task_internal::Promise<T>;

  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (coroutine_) coroutine_.destroy();
      coroutine_ = std::exchange(other.coroutine_, nullptr);
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (coroutine_) coroutine_.destroy();
  }

  // Await a task once: `co_await Foo()`, or `co_await std::move(task)`.
  auto operator co_await() && noexcept {
    class Awaiter {
     public:
      explicit Awaiter(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
      bool await_ready() const noexcept { return !coroutine_ || coroutine_.done(); }
      bool await_suspend(std::coroutine_handle<> awaiting) noexcept {
        coroutine_.resume();
        if (coroutine_.done()) return false;
        coroutine_.promise().continuation = awaiting;
        return true;
      }
      T await_resume() noexcept(std::is_void_v<T> || std::is_nothrow_move_constructible_v<T>) {
        if constexpr (std::is_void_v<T>) {
          if (!coroutine_) std::terminate();
        } else {
          return task_internal::Take<T>(coroutine_);
        }
      }

     private:
      std::coroutine_handle<promise_type> coroutine_;
    };
    return Awaiter(coroutine_);
  }

 private:
  friend promise_type;
  friend class TaskGroup;
  explicit Task(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}

  std::coroutine_handle<promise_type> coroutine_;
};

namespace task_internal {

template <typename T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

}  // namespace task_internal

// Owns tasks that run on their own. Call all functions on one thread.
class TaskGroup {
 public:
  TaskGroup() = default;
  // Calls Clear().
  ~TaskGroup() { Clear(); }
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Runs `task` now, until it first waits. Frees its memory when it has ended.
  void Spawn(Task<void> task);
  // Destroys the tasks that have not ended, in no particular order. Do not call this from one of
  // them.
  void Clear();
  bool empty() const { return first_ == nullptr; }

 private:
  task_internal::Promise<void>* first_ = nullptr;
};

}  // namespace ttrpc
