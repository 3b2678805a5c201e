// SPDX-License-Identifier: Apache-2.0
//
// EventLoop: an event loop for a program that does not have its own. A client runs one task after
// another to its end. A server runs until it is stopped. Call all functions on one thread.
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
  // Ends the program if the kernel cannot provide a loop or there is no memory.
  EventLoop();
  // Destroy servers, clients and everything else that uses the loop first.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // The EventLoop owns both. They are valid as long as it is.
  IoLoop& io() { return *io_; }
  event_base* base() const { return base_.get(); }

  // Runs the loop until the task has ended and returns its value. Does not return if the task never
  // ends. Do not call this from a callback or a task of this loop.
  template <typename T>
  T Run(Task<T> task) {
    std::optional<T> result;
    RunVoid(Store(std::move(task), &result));
    return std::move(*result);
  }
  void Run(Task<void> task) { RunVoid(std::move(task)); }

  // Runs the loop until Stop(). Do not call this from a callback or a task of this loop.
  void RunForever();
  // Makes RunForever() return after the callbacks that are due. Call this from a callback or a task
  // of this loop.
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
