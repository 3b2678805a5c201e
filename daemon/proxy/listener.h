// SPDX-License-Identifier: Apache-2.0
//
// Listener: accepts connections and hands them on. Whatever accept(2) says, it neither spins nor
// ends: out of descriptors it pauses, so that peers queue in the kernel, and goes on when one is
// free. On the loop's thread.
#pragma once

#include <functional>
#include <string>

#include "proxy/listening_socket.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class Listener {
 public:
  using AcceptFunction = std::function<void(ttrpc::UniqueFd)>;

  // `loop` must outlive it. The sockets given to `accept` are non-blocking.
  Listener(ttrpc::IoLoop& loop, std::string name, ListeningSocket socket, AcceptFunction accept);
  // Stops listening and removes the socket.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  void AcceptSome();
  void Pause(int error_number);
  void GoOn();

  std::string name_;
  ListeningSocket socket_;
  AcceptFunction accept_;
  ttrpc::EventPtr event_;
  ttrpc::Timer pause_;
  bool paused_ = false;  // said so, and not yet accepted anything since
};

}  // namespace proxyd
