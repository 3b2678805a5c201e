// SPDX-License-Identifier: Apache-2.0
//
// Reading and writing with a deadline, and places to do it in. Any thread.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "ttrpc/unique_fd.h"

namespace integration {

// How long anything that must happen may take: generous, for sanitizers on a busy machine. Only a
// failing test waits this long.
inline constexpr std::chrono::seconds kDeadline{20};

// Reads until `size` bytes are there or the other side has ended; a reset counts as an end. Returns
// fewer bytes at an end or when `deadline` has passed, which sets `timed_out`.
std::string ReadUpTo(int fd, size_t size, bool* timed_out,
                     std::chrono::milliseconds deadline = kDeadline);

// False: the other side is gone, or took nothing for `deadline`. `sent`, if given, counts what the
// kernel took.
bool SendAll(int fd, std::string_view bytes, size_t* sent = nullptr,
             std::chrono::milliseconds deadline = kDeadline);

// Waits until there is something to read, or the end. False, and the test fails: there is not.
bool WaitUntilReadable(int fd);

// For what comes without an event to wait for: offers the processor to the others until it is
// there. False: it did not come within kDeadline.
bool Eventually(const std::function<bool()>& condition);

// Waits until the other side of a Unix socket has read all that was sent, or is gone.
void WaitUntilTaken(int fd);

// A bound socket or a connected one, both close-on-exec, for a path or
// `@name` for an abstract name. Invalid, with errno set, on an error.
ttrpc::UniqueFd Bind(const std::string& address, int type = SOCK_STREAM);
ttrpc::UniqueFd Connect(const std::string& address);

// A folder that everyone may look into and that goes with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// Owned by us, mode 0644.
void WriteFile(const std::string& path, std::string_view text);
std::string ReadFile(const std::string& path);

}  // namespace integration
