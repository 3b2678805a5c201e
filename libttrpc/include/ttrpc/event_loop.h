// SPDX-License-Identifier: Apache-2.0
//
// EventLoop: a loop for a program that has none. It runs tasks to their end, one call after
// another, as a program does that waits for its answers; or it runs for ever, as a server does. All
// functions are called on one thread.
//
//   ttrpc::EventLoop loop;
//   auto client = ttrpc::Client::Dial(loop.io(), address);
//   example::GreeterClient greeter(*client);
//   ttrpc::Context context;
//   ttrpc::Result<example::HelloReply> reply = loop.Run(greeter.SayHello(context, request));
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "ttrpc/io_loop.h"
#include "ttrpc/task.h"

namespace ttrpc {

class EventLoop {
 public:
  // Ends the program if the kernel has no room for a loop, or there is no memory.
  EventLoop();
  // Servers, clients and everything else that uses the loop must be gone by then.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Both are owned by the EventLoop, and valid as long as it is.
  IoLoop& io() { return *io_; }
  event_base* base() const { return base_.get(); }

  // Runs the loop until the task has ended, and returns its value: never, if the task does
  // not end. Not to be called from a callback or a task of this loop.
  template <typename T>
  T Run(Task<T> task) {
    std::optional<T> result;
    RunVoid(Store(std::move(task), &result));
    return std::move(*result);
  }
  void Run(Task<void> task) { RunVoid(std::move(task)); }

  // Runs the loop until Stop(). Not to be called from a callback or a task of this loop.
  void RunForever();
  // Has RunForever() return after the callbacks that are due. To be called from a callback or a
  // task of this loop.
  void Stop();

 private:
  struct BaseDeleter {
    void operator()(event_base* base) const;
  };

  template <typename T>
  static Task<void> Store(Task<T> task, std::optional<T>* result) {
    result->emplace(co_await std::move(task));
  }
  void RunVoid(Task<void> task);

  std::unique_ptr<event_base, BaseDeleter> base_;
  std::unique_ptr<IoLoop> io_;
};

}  // namespace ttrpc
