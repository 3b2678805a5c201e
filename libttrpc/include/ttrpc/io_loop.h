// SPDX-License-Identifier: Apache-2.0
//
// IoLoop: the state that all connections of one event loop share. A program has one IoLoop for each
// event_base; its servers, clients and timers borrow it. Call all functions on the thread that runs
// the loop; none of them waits.
//
// A wake-up is one pass of the loop over the sockets that are ready. Messages sent during a wake-up
// are written at its end, with one system call for each connection, so that many small messages
// leave together.
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

// EventPtr owns a libevent event. Destroying it removes the event from its loop and frees it. The
// event's event_base must outlive it.
struct EventDeleter {
  void operator()(event* e) const;
};
using EventPtr = std::unique_ptr<event, EventDeleter>;

// A node of a ring. One node of a ring may belong to the owner of the ring. Nodes point at their
// neighbours and own nothing. A node leaves the ring when it is destroyed. All nodes of a ring
// belong to one thread.
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

// A Waiter is a coroutine that waits for an event. The loop resumes woken coroutines after the
// callbacks of the sockets that are ready. User code therefore never runs inside a connection's
// callback, and the messages of all coroutines leave together. Destroying a Waiter resumes nothing.
class Waiter : private RingNode {
 public:
  // `loop` must outlive the waiter.
  explicit Waiter(IoLoop& loop) : loop_(loop) {}

  // Call this from await_suspend(). The waiter does not own the coroutine: call Cancel() before
  // destroying the coroutine.
  void Wait(std::coroutine_handle<> coroutine) { coroutine_ = coroutine; }
  // Makes the loop resume the coroutine, which then no longer waits. Has no effect on a waiter that
  // does not wait or is already woken.
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

  // `base` is borrowed and must outlive the IoLoop. The IoLoop must outlive everything that holds a
  // reference to it. Only tests pass a `clock`. Ends the program if there is no memory. If the
  // process is out of descriptors, the only effect is that the loop notices late when the other
  // side closes a connection that is not being read.
  explicit IoLoop(event_base* base, Clock clock = std::chrono::steady_clock::now);
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  // Returns the base that was passed to the constructor.
  event_base* base() const { return base_; }

  // Returns the time of the first call of Now() in this wake-up. Later calls cost no system call,
  // and do not include the time that has passed since.
  TimePoint Now() {
    if (now_of_ != wake_up_) ReadClock();
    return now_;
  }
  // Returns a number that grows from one wake-up to the next. It stays the same after a wake-up in
  // which nothing was sent, nothing waited and Now() was not called.
  uint64_t wake_up() const { return wake_up_; }

  // Stop and resume receiving on all connections of a group (see ConnectionOptions). Messages that
  // were received before HoldGroup() are still delivered. Repeated calls, and calls for a group
  // without connections, have no effect.
  void HoldGroup(uint64_t group);
  void ReleaseGroup(uint64_t group);

 private:
  friend class Acceptor;
  friend class Connection;
  friend class IoLoopCore;
  friend class Waiter;

  void ReadClock();

  event_base* base_;
  uint64_t wake_up_ = 1;  // distinguishes one wake-up from the next
  uint64_t now_of_ = 0;   // the wake-up in which `now_` was read
  TimePoint now_;
  const Clock clock_;
  std::unique_ptr<IoLoopCore> core_;
};

}  // namespace ttrpc
