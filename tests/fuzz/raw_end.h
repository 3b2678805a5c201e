// SPDX-License-Identifier: Apache-2.0
//
// The raw other end of a connection under test: takes messages out of a script, writes what fits,
// reads what is there. Never waits.
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

// The first is ours, the second the library's.
inline std::pair<ttrpc::UniqueFd, ttrpc::UniqueFd> Sockets() {
  int fds[2];
  FUZZ_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
  return {ttrpc::UniqueFd(fds[0]), ttrpc::UniqueFd(fds[1])};
}

// Whatever is ready, and what that makes ready.
inline void Turn(ttrpc::EventLoop& loop, int turns = 2) {
  for (int i = 0; i < turns; ++i) event_base_loop(loop.base(), EVLOOP_NONBLOCK);
}

class RawEnd {
 public:
  explicit RawEnd(ttrpc::UniqueFd socket) : socket_(std::move(socket)) {}

  void Write(std::string_view bytes) {
    if (socket_) (void)::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  // Hands each message that has come to `take`, which has a header and data.
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
