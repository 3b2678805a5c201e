// SPDX-License-Identifier: Apache-2.0
//
// IoLoopCore: the state of an IoLoop for its connections and acceptors: the buffer they read into,
// the lists of connections with something to write or to deliver, and the turns of their groups.
// Use it on the loop's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "send_queue.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

// The turn of a group of connections: how much they may still deliver in this wake-up, how many of
// them wait for the next one, and whether they may receive at all.
struct ConnectionTurn {
  using TimePoint = std::chrono::steady_clock::time_point;

  uint64_t wake_up = 0;  // the wake-up that `left` and `spent` belong to
  int left = 0;          // messages plus blocks of bytes
  std::chrono::nanoseconds spent{0};
  TimePoint began;  // start of the current connection; the epoch if it is not measured
  uint32_t waiting = 0;
  uint32_t connections = 0;  // members that share this turn
  bool held = false;         // no connection of the group may receive
  RingNode parked;           // connections that have something to receive
};

class IoLoopCore {
 public:
  // A Unix socket holds this much by default, so that one read empties it.
  static constexpr size_t kReadBufferSize = 256U << 10;

  // `loop` owns this object.
  explicit IoLoopCore(IoLoop& loop);
  IoLoopCore(const IoLoopCore&) = delete;
  IoLoopCore& operator=(const IoLoopCore&) = delete;

  // Valid until the next connection reads.
  char* read_buffer() { return read_buffer_.get(); }
  BlockPool& block_pool() { return block_pool_; }

  void ScheduleFlush(Connection* connection);
  // Ends the current wake-up without a connection, because its time was asked for.
  void EndWakeUp();
  void ScheduleResume(Connection* connection);
  // Removes the connection from all lists.
  void Forget(const Connection* connection);
  void ScheduleWoken(Waiter* waiter);

  // Returns true if this wake-up has lasted long enough. It has to end even if no groups take
  // turns, because timers, signals and new connections wait for it. The clock is read once per
  // turn's worth of messages.
  bool LongEnough();
  void CountHandedOut(int units) { handed_out_ += units; }

  // Returns the turn that all connections of a group share, until each of them has left the group.
  ConnectionTurn* JoinGroup(uint64_t group);
  void LeaveGroup(uint64_t group);
  // Returns null if the group has no connection.
  ConnectionTurn* FindGroup(uint64_t group);
  static void Unpark(ConnectionTurn* turn);
  // Notes that a connection with this turn (or null) has messages. Returns true if a connection
  // with another turn recently had some.
  bool OthersThan(const ConnectionTurn* turn) {
    if (turn != last_turn_) {
      // A group that has left has no more messages.
      if (last_turn_) others_until_ = loop_.wake_up_ + kLately;
      last_turn_ = turn;
    }
    return loop_.wake_up_ < others_until_;
  }

  // Calls EndSeen() once the other side has closed, even if it left something to read. Call
  // ForgetEnd() before the socket is closed. If the kernel has no memory, the end is noticed when
  // reading resumes.
  void AwaitEnd(Connection* connection);
  void ForgetEnd(const Connection* connection);

  // Acceptors whose sockets are ready, the next one first. The Acceptors make and run the event.
  RingNode& accepting() { return accepting_; }
  EventPtr& accept_event() { return accept_event_; }

 private:
  void ResumeWoken();

  template <void (Connection::*Run)()>
  static void RunAll(std::vector<Connection*>* waiting, std::vector<Connection*>* running);

  // Counted in wake-ups. A group that is alone need not stop for others, because turns make batches
  // smaller.
  static constexpr uint64_t kLately = 1024;

  IoLoop& loop_;
  int handed_out_ = 0;         // since the clock was last read
  uint64_t long_wake_up_ = 0;  // the last wake-up that was found to be long
  // The turn of the last messages, which is only compared. None at the start, and once it is gone.
  std::optional<const ConnectionTurn*> last_turn_;
  uint64_t others_until_ = kLately;
  std::unordered_map<uint64_t, ConnectionTurn> groups_;
  BlockPool block_pool_;
  EventPtr flush_event_;
  EventPtr resume_event_;
  EventPtr woken_event_;
  RingNode woken_;  // Waiters, in the order in which they were woken
  RingNode accepting_;
  EventPtr accept_event_;
  // A separate epoll for sockets that must not be read. libevent's EV_CLOSED does not work: if the
  // other side left unread data, the socket reports an error, which libevent passes only to readers
  // and writers, so that the loop would spin.
  UniqueFd ends_;
  EventPtr ends_event_;
  // Each list has a twin that is being run. A connection that closes meanwhile is replaced by null
  // in both.
  std::vector<Connection*> to_flush_, flushing_;
  std::vector<Connection*> to_resume_, resuming_;
  std::unique_ptr<char[]> read_buffer_;
};

}  // namespace ttrpc
