// SPDX-License-Identifier: Apache-2.0
//
// Acceptor: accepts connections and passes them on. Whatever accept(2) says, it neither spins nor
// ends: out of descriptors it pauses, so that peers queue in the kernel, and goes on when one is
// free. On the loop's thread.
//
// For programs that read and write messages themselves, as proxies do: may change in any release.
//
// A client may choose what its connection costs. So the acceptors of a loop share a budget of time:
// once they have spent 1 ms of a wake-up, `accepted` included, or accepted 16 connections, the
// loop's other work has its turn. They accept one connection after another in turn, so that a flood
// at one socket keeps no other waiting for longer than its share.
#pragma once

#include <chrono>
#include <functional>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

// The acceptor owns these, and the loop calls them. They may destroy the acceptor.
struct AcceptorCallbacks {
  AcceptorCallbacks() {}
  // Takes a new connection, which is non-blocking and closed on exec. Must not be null.
  std::function<void(UniqueFd)> accepted;
  // Accepting has failed with this errno, and pauses; or it goes on (0). Each is reported once,
  // until the other one is. May be null.
  std::function<void(int error_number)> paused;
  // The clock that measures accepting. May be null: std::chrono::steady_clock.
  std::function<std::chrono::steady_clock::time_point()> clock;
};

class Acceptor : private RingNode {
 public:
  // `socket` listens, is non-blocking and stays the caller's; it and `loop` must outlive the
  // acceptor. Nothing is accepted before the loop runs. There is no failure to return: a system
  // that has no memory to watch the socket is asked again every 100 ms.
  Acceptor(IoLoop& loop, int socket, AcceptorCallbacks callbacks);
  // Connections that were not accepted yet stay in the socket's queue. No callback follows.
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
