// SPDX-License-Identifier: Apache-2.0
//
// Reads and writes with a deadline, and makes sockets, files and directories. Any thread.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "ttrpc/unique_fd.h"

namespace integration {

// How long anything that must happen may take. It is generous, for sanitizers on a busy machine:
// only a failing test waits this long.
inline constexpr std::chrono::seconds kDeadline{20};

// Reads `size` bytes, or fewer if the other side ends (a reset counts as an end) or `deadline`
// passes, which sets `timed_out`.
std::string ReadUpTo(int fd, size_t size, bool* timed_out,
                     std::chrono::milliseconds deadline = kDeadline);

// Returns false if the other side is gone, or takes nothing for `deadline`. `sent`, if given,
// counts the bytes that the kernel took.
bool SendAll(int fd, std::string_view bytes, size_t* sent = nullptr,
             std::chrono::milliseconds deadline = kDeadline);

// Waits until there is something to read, or the end. If neither comes, returns false and the test
// fails.
bool WaitUntilReadable(int fd);

// Waits for a condition that has no event, and yields the processor to other threads until then.
// Returns false if it does not hold within kDeadline.
bool Eventually(const std::function<bool()>& condition);

// Waits until the other side of a Unix socket has read all that was sent, or is gone.
void WaitUntilTaken(int fd);

// Returns a bound or a connected socket, close-on-exec, for a path, or for `@name`, an abstract
// name. On an error it is invalid, and errno is set.
ttrpc::UniqueFd Bind(const std::string& address, int type = SOCK_STREAM);
ttrpc::UniqueFd Connect(const std::string& address);

// A directory that everyone may enter and list, removed with the object.
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

// The file is owned by the test's user and has mode 0644.
void WriteFile(const std::string& path, std::string_view text);
std::string ReadFile(const std::string& path);

}  // namespace integration
