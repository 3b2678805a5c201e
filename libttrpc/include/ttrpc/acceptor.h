// SPDX-License-Identifier: Apache-2.0
//
// Acceptor: accepts connections and hands them on. Whatever accept(2) says, it neither spins nor
// ends: out of descriptors it pauses, so that peers queue in the kernel, and goes on when one is
// free. On the loop's thread.
//
// What a connection costs may be chosen by whoever connects. So the acceptors of a loop share a
// budget of time: once they have spent 1 ms of a wake-up, `accepted` included, or accepted 16
// connections, the others of the loop have their turn. They accept one connection after another in
// turn, so that a flood at one socket keeps no other waiting for longer than its share.
#pragma once

#include <chrono>
#include <functional>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

// Called by the loop. May destroy the acceptor.
struct AcceptorCallbacks {
  AcceptorCallbacks() {}
  // A connection: non-blocking, closed on exec.
  std::function<void(UniqueFd)> accepted;
  // It cannot accept (errno's number), and pauses. Told once, until it has accepted again; then
  // with 0. May be null.
  std::function<void(int error_number)> paused;
  // By which accepting is measured. May be null: std::chrono::steady_clock.
  std::function<std::chrono::steady_clock::time_point()> clock;
};

class Acceptor : private RingNode {
 public:
  // `socket` listens, is non-blocking and stays the caller's; it and `loop` must outlive this.
  Acceptor(IoLoop& loop, int socket, AcceptorCallbacks callbacks);
  // Connections that were not accepted yet stay in the socket's queue.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

 private:
  void AcceptSoon();
  static void AcceptSome(IoLoop& loop);
  std::chrono::steady_clock::time_point Now() const;
  bool AcceptOne();
  void Pause(int error_number);
  void GoOn();

  IoLoop& loop_;
  const int socket_;
  AcceptorCallbacks callbacks_;
  EventPtr event_;
  Timer pause_;
  bool paused_ = false;        // said so, and not yet accepted anything since
  bool* destroyed_ = nullptr;  // set while a callback runs
};

}  // namespace ttrpc
