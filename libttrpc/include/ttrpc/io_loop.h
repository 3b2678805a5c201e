// SPDX-License-Identifier: Apache-2.0
//
// IoLoop: what the connections of one event loop share. A program has one for each event_base; its
// servers, clients and timers borrow it. All functions are called on the thread that runs the loop,
// and none of them waits.
//
// Everything that is sent while the ready sockets of one wake-up are served is written after the
// last of them, with one system call for each connection, so that many small messages leave
// together.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>

struct event;
struct event_base;

namespace ttrpc {

class Acceptor;
class Connection;
class IoLoop;
class IoLoopCore;  // private

// EventPtr owns an event of libevent: destroying it removes the event from its loop and frees it.
// The event's event_base must outlive it.
struct EventDeleter {
  void operator()(event* e) const;
};
using EventPtr = std::unique_ptr<event, EventDeleter>;

// A ring of nodes, one of which may be its owner's. A node refers to its neighbours and owns
// nothing; it leaves the ring when it is destroyed. The nodes of a ring belong to one thread.
struct RingNode {
  RingNode() = default;
  ~RingNode() { Leave(); }
  RingNode(const RingNode&) = delete;
  RingNode& operator=(const RingNode&) = delete;

  bool alone() const { return next == this; }
  // `node` must be alone.
  void InsertBefore(RingNode* node) {
    node->previous = previous;
    node->next = this;
    previous->next = node;
    previous = node;
  }
  // Has no effect on a node that is alone.
  void Leave() {
    previous->next = next;
    next->previous = previous;
    previous = next = this;
  }

  RingNode* previous = this;
  RingNode* next = this;
};

// A coroutine that waits for something. The loop resumes a woken coroutine after the callbacks of
// the sockets that are ready, so that no user's code runs within a connection's callback, and what
// all of them send leaves together. Destroying a Waiter resumes nothing.
class Waiter : private RingNode {
 public:
  // `loop` must outlive the waiter.
  explicit Waiter(IoLoop& loop) : loop_(loop) {}

  // Called from await_suspend(). The waiter does not own the coroutine: whoever destroys the
  // coroutine calls Cancel() first.
  void Wait(std::coroutine_handle<> coroutine) { coroutine_ = coroutine; }
  // Has the loop resume the coroutine, which then waits no more. A waiter that does not wait, or
  // that is woken already, stays as it is.
  void Wake();
  // Forgets the coroutine, woken or not.
  void Cancel() {
    coroutine_ = nullptr;
    Leave();
  }
  bool waiting() const { return coroutine_ != nullptr; }

 private:
  friend class IoLoopCore;

  IoLoop& loop_;
  std::coroutine_handle<> coroutine_;
};

class IoLoop {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Clock = TimePoint (*)();

  // `base` is borrowed: it must outlive the IoLoop, and the IoLoop must outlive everything that was
  // given a reference to it. Tests replace `clock`. Ends the program if there is no memory. Out of
  // descriptors, the end of a connection that is not being read is noticed late, and nothing else.
  explicit IoLoop(event_base* base, Clock clock = std::chrono::steady_clock::now);
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  // The base that the constructor was given.
  event_base* base() const { return base_; }

  // The time at which this wake-up first asked for it. It costs no system call after that, and does
  // not include the time that the wake-up has taken since.
  TimePoint Now() {
    if (now_of_ != wake_up_) ReadClock();
    return now_;
  }
  // A number that grows from one wake-up to the next. A wake-up in which nothing is sent, nothing
  // waits and nobody calls Now() has the number of the one before.
  uint64_t wake_up() const { return wake_up_; }

  // Connections of this group (see ConnectionOptions) receive nothing from here until the release.
  // What they have received before is still delivered. Both functions may be called repeatedly, and
  // have no effect on a group that has no connection.
  void HoldGroup(uint64_t group);
  void ReleaseGroup(uint64_t group);

 private:
  friend class Acceptor;
  friend class Connection;
  friend class IoLoopCore;
  friend class Waiter;

  void ReadClock();

  event_base* base_;
  uint64_t wake_up_ = 1;  // tells one from the next
  uint64_t now_of_ = 0;   // the wake-up whose time `now_` is
  TimePoint now_;
  const Clock clock_;
  std::unique_ptr<IoLoopCore> core_;
};

}  // namespace ttrpc
