// SPDX-License-Identifier: Apache-2.0
//
// Acceptor: accepts connections and passes them on. No error of accept(2) makes it spin or end: if
// descriptors run out, it pauses, new peers queue in the kernel, and it resumes when a descriptor
// is free. Use it on the loop's thread.
//
// This header is for programs that read and write messages themselves, such as proxies. It may
// change in any release.
//
// A client can influence what accepting its connection costs. The acceptors of a loop therefore
// share a time budget: in one wake-up they spend at most 1 ms, including the `accepted` callbacks,
// and accept at most 16 connections. They take turns, one connection at a time, so that a flood at
// one socket delays the others no longer than its share.
#pragma once

#include <chrono>
#include <functional>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

// The acceptor owns the callbacks, and the loop calls them. They may destroy the acceptor.
struct AcceptorCallbacks {
  AcceptorCallbacks() {}
  // Receives a new connection, which is non-blocking and closed on exec. Must not be null.
  std::function<void(UniqueFd)> accepted;
  // Reports that accepting has paused after an error (its errno), or has resumed (0). The two
  // alternate, so that each is reported once. May be null.
  std::function<void(int error_number)> paused;
  // The clock that measures the time budget. Null: std::chrono::steady_clock.
  std::function<std::chrono::steady_clock::time_point()> clock;
};

class Acceptor : private RingNode {
 public:
  // `socket` listens and is non-blocking. The caller keeps it; it and `loop` must outlive the
  // acceptor. Nothing is accepted before the loop runs. If there is no memory to watch the socket,
  // the acceptor tries again every 100 ms.
  Acceptor(IoLoop& loop, int socket, AcceptorCallbacks callbacks);
  // Connections that are not yet accepted stay in the socket's queue. No callback follows.
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
  bool paused_ = false;        // paused, and nothing has been accepted since
  bool* destroyed_ = nullptr;  // set while a callback runs
};

}  // namespace ttrpc
