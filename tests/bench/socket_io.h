// SPDX-License-Identifier: Apache-2.0
//
// Unix sockets with their input and output, for the two ends of the benchmark. They are as plain
// and as fast as possible, so that the numbers show what is between the ends. An error ends the
// process with a message, since a benchmark that lost something has no result. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/message.h"

namespace bench {

// Prints `what` on standard error and exits 1.
[[noreturn]] void Fail(const std::string& what);
// Does the same, and adds the text of errno.
[[noreturn]] void FailErrno(const std::string& what);

// Both return a non-blocking socket. ConnectUnix() waits, at most ten seconds, while the listener's
// queue is full.
ttrpc::UniqueFd ListenUnix(const std::string& path);
ttrpc::UniqueFd ConnectUnix(const std::string& path);

// Raises the limit on descriptors to the most that is permitted.
void RaiseDescriptorLimit();

struct Message {
  ttrpc::MessageHeader header;
  std::string_view data;
};

// Bytes that were read from a socket and not handled yet. The invariant is begin_ <= end_ <=
// capacity_.
class InBuffer {
 public:
  enum class ReadResult { kRead, kNothing, kEnd };

  // Calls read(2) once.
  ReadResult ReadFrom(int fd);

  // Returns the next whole message, if there is one. Its data is valid until the next ReadFrom().
  std::optional<Message> NextMessage();

 private:
  void MakeRoom();

  std::unique_ptr<char[]> bytes_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t wanted_ = 0;  // length of the message at begin_, once its header was read
};

// Bytes that a socket has not taken yet.
class OutBuffer {
 public:
  std::string& bytes() { return bytes_; }  // append output here
  size_t pending() const { return bytes_.size() - sent_; }

  // Writes until the buffer is empty or the socket takes no more. Returns false if the other side
  // is gone.
  [[nodiscard]] bool Flush(int fd);

 private:
  std::string bytes_;
  size_t sent_ = 0;
};

// The events that epoll(7) reports for a socket. A system call is made only for a change.
class Interest {
 public:
  // epoll_event.data.u64 contains `tag`.
  void Set(int epoll_fd, int fd, uint32_t events, uint64_t tag);

 private:
  std::optional<uint32_t> events_;
};

}  // namespace bench
