// SPDX-License-Identifier: Apache-2.0
//
// IoLoop: what the connections of one event loop share: the buffer they read into, the list of
// those that have something to write, and of those that have something left to hand out. All of it
// on the thread that runs the loop.
//
// Everything that was sent while a wake-up's ready sockets were served is written after the last of
// them, with one system call for each connection, so that many small messages leave together.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ttrpc/send_queue.h"
#include "ttrpc/unique_fd.h"

struct event;
struct event_base;

namespace ttrpc {

class Acceptor;
class Connection;
class IoLoop;

struct EventDeleter {
  void operator()(event* e) const;
};
using EventPtr = std::unique_ptr<event, EventDeleter>;

// A ring of nodes, one of which may be its owner's: each can leave without knowing whose it is.
struct RingNode {
  RingNode() = default;
  ~RingNode() { Leave(); }
  RingNode(const RingNode&) = delete;
  RingNode& operator=(const RingNode&) = delete;

  bool alone() const { return next == this; }
  // `node` is alone.
  void InsertBefore(RingNode* node) {
    node->previous = previous;
    node->next = this;
    previous->next = node;
    previous = node;
  }
  void Leave() {
    previous->next = next;
    next->previous = previous;
    previous = next = this;
  }

  RingNode* previous = this;
  RingNode* next = this;
};

// A coroutine that waits for something. Who has it wakes it; the loop resumes it after the
// callbacks of the sockets that are ready, so that no user's code runs within a connection's
// callback, and what all of them send leaves together. Destroyed, it resumes nothing.
class Waiter : private RingNode {
 public:
  // `loop` must outlive it.
  explicit Waiter(IoLoop& loop) : loop_(loop) {}

  // From await_suspend().
  void Wait(std::coroutine_handle<> coroutine) { coroutine_ = coroutine; }
  // Without effect unless it waits, and the second time.
  void Wake();
  // It waits no more: the coroutine is about to be destroyed.
  void Cancel() {
    coroutine_ = nullptr;
    Leave();
  }
  bool waiting() const { return coroutine_ != nullptr; }

 private:
  friend class IoLoop;

  IoLoop& loop_;
  std::coroutine_handle<> coroutine_;
};

// How much connections that belong together may still hand out in this wake-up, who of them waits
// for the next, and whether any of them may receive at all.
struct ConnectionTurn {
  using TimePoint = std::chrono::steady_clock::time_point;

  uint64_t wake_up = 0;  // of which `left` and `spent` are true
  int left = 0;          // messages, and as many blocks of bytes
  std::chrono::nanoseconds spent{0};
  TimePoint began;  // when the connection at hand did; the epoch if nobody measures
  uint32_t waiting = 0;
  uint32_t connections = 0;  // that share it
  bool held = false;         // they receive nothing
  RingNode parked;           // those that would have
};

class IoLoop {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Clock = TimePoint (*)();

  // `base` is borrowed: it must outlive this, and this must outlive its connections. `clock` is
  // what a test may replace.
  explicit IoLoop(event_base* base, Clock clock = std::chrono::steady_clock::now);
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  event_base* base() const { return base_; }

  // The time at which this wake-up first asked for it: for whoever asks with every message, and can
  // do without what a wake-up takes.
  TimePoint Now() {
    if (now_of_ != wake_up_) ReadClock();
    return now_;
  }
  // Tells one wake-up from the next: it grows. A wake-up in which nothing is sent, nothing waits
  // and nobody calls Now() has the number of the one before.
  uint64_t wake_up() const { return wake_up_; }

  // Until it is released, connections of this group receive nothing. What they have received before
  // is handed out all the same. Both may be called again without effect.
  void HoldGroup(uint64_t group);
  void ReleaseGroup(uint64_t group);

 private:
  friend class Acceptor;
  friend class Connection;
  friend class Waiter;

  void ReadClock();
  void ResumeWoken();

  // Who is alone has no turns, but a wake-up must end: timers, signals and newcomers wait for it.
  // True if this one has lasted long enough. The clock is read once for each turn's worth.
  bool LongEnough();
  void CountHandedOut(int units) { handed_out_ += units; }

  // As much as a Unix socket holds by default, so that one read empties it.
  static constexpr size_t kReadBufferSize = 256U << 10;

  void ScheduleFlush(Connection* connection);
  void ScheduleResume(Connection* connection);
  // The turn that all connections of this group share, until each of them has given it back.
  ConnectionTurn* JoinGroup(uint64_t group);
  void LeaveGroup(uint64_t group);
  // A connection with this turn (or null) has messages. True if one with another one had, lately.
  bool OthersThan(const ConnectionTurn* turn) {
    if (turn != last_turn_) {
      last_turn_ = turn;
      others_until_ = wake_up_ + kLately;
    }
    return wake_up_ < others_until_;
  }
  void Forget(const Connection* connection);
  BlockPool& block_pool() { return block_pool_; }
  // Calls EndSeen() once the other side is gone, whatever it left to be read; ForgetEnd() before
  // the socket is closed. If the kernel has no room for it, the end shows when reading goes on.
  void AwaitEnd(Connection* connection);
  void ForgetEnd(const Connection* connection);
  char* read_buffer() { return read_buffer_.get(); }

  template <void (Connection::*Run)()>
  static void RunAll(std::vector<Connection*>* waiting, std::vector<Connection*>* running);

  event_base* base_;
  // In wake-ups. Who is alone need not stop for others: turns cost batches.
  static constexpr uint64_t kLately = 1024;

  uint64_t wake_up_ = 1;  // tells one from the next
  uint64_t now_of_ = 0;   // the wake-up whose time `now_` is
  TimePoint now_;
  const Clock clock_;
  int handed_out_ = 0;                         // since the clock was last looked at
  uint64_t long_wake_up_ = 0;                  // the last that was found to be long
  const ConnectionTurn* last_turn_ = nullptr;  // only compared
  uint64_t others_until_ = kLately;
  std::unordered_map<uint64_t, ConnectionTurn> groups_;
  BlockPool block_pool_;
  EventPtr flush_event_;
  EventPtr resume_event_;
  EventPtr woken_event_;
  RingNode woken_;  // Waiters, in the order in which they were woken
  // Acceptors whose sockets are ready, next first. The event is the Acceptors' to make and run.
  RingNode accepting_;
  EventPtr accept_event_;
  // An epoll of our own, of sockets that are not to be read. libevent's EV_CLOSED does not do: an
  // error on the socket, which is how it ends if something was left unread at the other side, is
  // told to readers and writers only, and would turn the loop without end.
  UniqueFd ends_;
  EventPtr ends_event_;
  // Each list has a twin that is being run; a connection that goes meanwhile is nulled in both.
  std::vector<Connection*> to_flush_, flushing_;
  std::vector<Connection*> to_resume_, resuming_;
  std::unique_ptr<char[]> read_buffer_;
};

}  // namespace ttrpc
