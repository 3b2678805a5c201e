// SPDX-License-Identifier: Apache-2.0
#include "observe/line_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <utility>

namespace proxyd {
namespace {

constexpr mode_t kMode = 0640;
constexpr int kPollSliceMs = 100;  // how soon a waiting write notices a new deadline

// O_NONBLOCK keeps open(2) and write(2) from waiting for a named pipe: only poll(2) waits, and it
// has a deadline. The flag does not affect regular files.
ttrpc::Result<ttrpc::UniqueFd> OpenForAppending(const std::string& path) {
  const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
  ttrpc::UniqueFd fd(::open(path.c_str(), flags, kMode));
  if (!fd) return ttrpc::ErrnoStatus(errno, "cannot open " + path);
  return fd;
}

}  // namespace

bool WriteDeadline::WaitUntilWritable(int fd) const {
  while (true) {
    pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
    // Checked before the wait: after the deadline, none of a thousand remaining lines waits.
    const bool last_chance = passed();
    if (::poll(&ready, 1, last_chance ? 0 : kPollSliceMs) > 0) return true;
    if (last_chance) return false;
  }
}

ttrpc::Result<LineFile> LineFile::Open(std::string path, const WriteDeadline& deadline) {
  ttrpc::Result<ttrpc::UniqueFd> fd = OpenForAppending(path);
  if (!fd) return fd.error();
  return LineFile(*std::move(fd), std::move(path), deadline);
}

ttrpc::Result<LineFile> LineFile::Stderr(const WriteDeadline& deadline) {
  ttrpc::UniqueFd fd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!fd) return ttrpc::ErrnoStatus(errno, "cannot use standard error");
  return LineFile(std::move(fd), "", deadline);
}

ttrpc::Status LineFile::Reopen() {
  if (path_.empty()) return {};
  ttrpc::Result<ttrpc::UniqueFd> fd = OpenForAppending(path_);
  if (!fd) return fd.error();
  fd_ = *std::move(fd);
  cut_ = false;
  return {};
}

int LineFile::Append(std::string_view lines, size_t* kept) {
  size_t written = 0;
  if (kept != nullptr) *kept = 0;
  if (cut_) {
    if (const int error = WriteAll("\n", &written); error != 0) return error;
    cut_ = false;
    written = 0;
  }
  const int error = WriteAll(lines, &written);
  if (error != 0 && written != 0) {
    cut_ = lines[written - 1] != '\n';
    if (TakeBack(written)) {
      cut_ = false;
      written = 0;
    }
  }
  if (kept != nullptr) *kept = lines.substr(0, written).rfind('\n') + 1;
  return error;
}

int LineFile::WriteAll(std::string_view bytes, size_t* written) {
  while (*written < bytes.size()) {
    size_t size = bytes.size() - *written;
    // stderr is shared with other processes and thus stays blocking. A pipe that is ready takes
    // this many bytes without blocking, unless another process fills it first.
    if (path_.empty() && size > PIPE_BUF) size = PIPE_BUF;
    if (!deadline_->WaitUntilWritable(fd_.get())) return ETIMEDOUT;
    const ssize_t result = ::write(fd_.get(), bytes.data() + *written, size);
    if (result >= 0) {
      *written += static_cast<size_t>(result);
    } else if (errno != EINTR && errno != EAGAIN) {
      return errno;
    }
  }
  return 0;
}

// Removes what was written only while it is the end of the file, so that no other lines are lost.
bool LineFile::TakeBack(size_t written) {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  // After a write with O_APPEND, the offset is the end of what was written.
  const off_t end = ::lseek(fd_.get(), 0, SEEK_CUR);
  if (path_.empty() || end != status.st_size || static_cast<size_t>(end) < written) return false;
  return ::ftruncate(fd_.get(), end - static_cast<off_t>(written)) == 0;
}

}  // namespace proxyd
