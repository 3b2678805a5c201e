// SPDX-License-Identifier: Apache-2.0
//
// IoLoopCore: what an IoLoop keeps for its connections and acceptors: the buffer they read into,
// the lists of those that have something to write or to deliver, and the turns of their groups.
// On the loop's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "send_queue.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

// How much connections that belong together may still deliver in this wake-up, which of them wait
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

class IoLoopCore {
 public:
  // As much as a Unix socket holds by default, so that one read empties it.
  static constexpr size_t kReadBufferSize = 256U << 10;

  // `loop` owns this.
  explicit IoLoopCore(IoLoop& loop);
  IoLoopCore(const IoLoopCore&) = delete;
  IoLoopCore& operator=(const IoLoopCore&) = delete;

  // Valid until the next connection reads.
  char* read_buffer() { return read_buffer_.get(); }
  BlockPool& block_pool() { return block_pool_; }

  void ScheduleFlush(Connection* connection);
  // Without a connection: for a wake-up whose time was asked for, to come to its end.
  void EndWakeUp();
  void ScheduleResume(Connection* connection);
  // Of what was scheduled, nothing concerns this connection any more.
  void Forget(const Connection* connection);
  void ScheduleWoken(Waiter* waiter);

  // A wake-up must end even where nobody takes turns: timers, signals and newcomers wait for it.
  // True if this one has lasted long enough. The clock is read once for each turn's worth.
  bool LongEnough();
  void CountHandedOut(int units) { handed_out_ += units; }

  // The turn that all connections of this group share, until each of them has given it back.
  ConnectionTurn* JoinGroup(uint64_t group);
  void LeaveGroup(uint64_t group);
  // Null if it has no connection.
  ConnectionTurn* FindGroup(uint64_t group);
  static void Unpark(ConnectionTurn* turn);
  // A connection with this turn (or null) has messages. True if one with another one had, lately.
  bool OthersThan(const ConnectionTurn* turn) {
    if (turn != last_turn_) {
      last_turn_ = turn;
      others_until_ = loop_.wake_up_ + kLately;
    }
    return loop_.wake_up_ < others_until_;
  }

  // Calls EndSeen() once the other side is gone, whatever it left to be read; ForgetEnd() comes
  // before the socket is closed. If the kernel has no room, the end shows when reading goes on.
  void AwaitEnd(Connection* connection);
  void ForgetEnd(const Connection* connection);

  // Acceptors whose sockets are ready, next first. The event is the Acceptors' to make and run.
  RingNode& accepting() { return accepting_; }
  EventPtr& accept_event() { return accept_event_; }

 private:
  void ResumeWoken();

  template <void (Connection::*Run)()>
  static void RunAll(std::vector<Connection*>* waiting, std::vector<Connection*>* running);

  // In wake-ups. A group that is alone need not stop for others: turns cost batches.
  static constexpr uint64_t kLately = 1024;

  IoLoop& loop_;
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
  RingNode accepting_;
  EventPtr accept_event_;
  // An epoll of our own, of sockets that are not to be read. libevent's EV_CLOSED does not do: it
  // reports an error on the socket, which is how it ends if the other side left something unread,
  // to readers and writers only, and would turn the loop without end.
  UniqueFd ends_;
  EventPtr ends_event_;
  // Each list has a twin that is being run; a connection that goes meanwhile is nulled in both.
  std::vector<Connection*> to_flush_, flushing_;
  std::vector<Connection*> to_resume_, resuming_;
  std::unique_ptr<char[]> read_buffer_;
};

}  // namespace ttrpc
