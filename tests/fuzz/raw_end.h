// SPDX-License-Identifier: Apache-2.0
//
// The raw other end of a connection under test. It takes messages from a script, writes as much as
// fits, and reads what has arrived. It never waits.
#pragma once

#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz.h"
#include "support/wire.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/message.h"

namespace fuzz {

// Returns a pair of sockets: the first for the test, the second for the library.
inline std::pair<ttrpc::UniqueFd, ttrpc::UniqueFd> Sockets() {
  int fds[2];
  FUZZ_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
  return {ttrpc::UniqueFd(fds[0]), ttrpc::UniqueFd(fds[1])};
}

// Runs the loop for the events that are ready, and once more for those that follow from them.
inline void Turn(ttrpc::EventLoop& loop, int turns = 2) {
  for (int i = 0; i < turns; ++i) event_base_loop(loop.base(), EVLOOP_NONBLOCK);
}

class RawEnd {
 public:
  explicit RawEnd(ttrpc::UniqueFd socket) : socket_(std::move(socket)) {}

  void Write(std::string_view bytes) {
    if (socket_) (void)::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  // Calls `take` with each message that has arrived; a message has a header and data.
  template <typename Take>
  void Read(Take take) {
    char buffer[65536];
    while (socket_) {
      const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
      if (n <= 0) return;
      std::string_view input(buffer, static_cast<size_t>(n));
      for (;;) {
        const auto decoded = decoder_.Next(&input);
        if (decoded.event == ttrpc::MessageDecoder::Event::kNeedMore) break;
        FUZZ_CHECK(decoded.event == ttrpc::MessageDecoder::Event::kMessage);
        take(decoded.header, decoded.data);
      }
    }
  }
  void ShutdownWriting() {
    if (socket_) ::shutdown(socket_.get(), SHUT_WR);
  }
  void Close() { socket_.reset(); }

 private:
  ttrpc::UniqueFd socket_;
  ttrpc::MessageDecoder decoder_{ttrpc::kMaxMessageSize};
};

}  // namespace fuzz
