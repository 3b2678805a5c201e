// SPDX-License-Identifier: Apache-2.0
//
// Unix sockets and the bytes on their way in and out, for the benchmark's two ends. As plain and as
// fast as can be, so that what is between them sets the numbers. Trouble ends the process with a
// message: a benchmark that lost something has no result. One thread.
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

// Prints to standard error and exits 1.
[[noreturn]] void Fail(const std::string& what);
// The same, with what errno says.
[[noreturn]] void FailErrno(const std::string& what);

// Both give a non-blocking socket. Connecting waits (for ten seconds at most) while the listener's
// queue is full.
ttrpc::UniqueFd ListenUnix(const std::string& path);
ttrpc::UniqueFd ConnectUnix(const std::string& path);

// Lets this process have as many descriptors as it may.
void RaiseDescriptorLimit();

struct Message {
  ttrpc::MessageHeader header;
  std::string_view data;
};

// What was read from one socket and not yet handled. The invariant: begin_ <= end_ <= capacity_.
class InBuffer {
 public:
  enum class ReadResult { kRead, kNothing, kEnd };

  // One read(2).
  ReadResult ReadFrom(int fd);

  // The next whole message, if there is one; its data is valid until the next ReadFrom.
  std::optional<Message> NextMessage();

 private:
  void MakeRoom();

  std::unique_ptr<char[]> bytes_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t wanted_ = 0;  // length of the message at begin_, once its header is here
};

// What one socket has yet to take.
class OutBuffer {
 public:
  std::string& bytes() { return bytes_; }  // append to it
  size_t pending() const { return bytes_.size() - sent_; }

  // Writes until all is gone or the socket takes no more. False when the other side is gone.
  [[nodiscard]] bool Flush(int fd);

 private:
  std::string bytes_;
  size_t sent_ = 0;
};

// What epoll(7) should report for a socket; makes the system call only for a change.
class Interest {
 public:
  // `tag` comes back in epoll_event.data.u64.
  void Set(int epoll_fd, int fd, uint32_t events, uint64_t tag);

 private:
  std::optional<uint32_t> events_;
};

}  // namespace bench
