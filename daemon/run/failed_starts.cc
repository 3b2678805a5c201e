// SPDX-License-Identifier: Apache-2.0
#include "run/failed_starts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "run/runtime_folder.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

namespace {

using std::chrono::milliseconds;

constexpr std::array<milliseconds, 5> kPauses = {
    milliseconds(0), milliseconds(100), milliseconds(500), milliseconds(2000), milliseconds(5000)};

}  // namespace

std::string FileOfFailedStarts() { return InRuntimeFolder("failed-starts"); }

milliseconds FailedStarts::Count() const {
  if (file_.empty()) return milliseconds(0);
  const size_t before = Read();
  Write(std::min(before + 1, kPauses.size()));
  return kPauses[std::min(before, kPauses.size() - 1)];
}

void FailedStarts::Forget() const {
  if (!file_.empty()) ::unlink(file_.c_str());
}

size_t FailedStarts::Read() const {
  // O_NONBLOCK keeps a named pipe, which holds no count, from blocking until it has a writer.
  const ttrpc::UniqueFd file(
      ::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  char text[16];
  const ssize_t length = ::read(file.get(), text, sizeof text);
  if (length <= 1) return 0;
  size_t count = 0;
  const char* const end = text + length - 1;
  const auto [stop, error] = std::from_chars(text, end, count);
  return error == std::errc() && stop == end && *end == '\n' ? count : 0;
}

// Each count is written to a new file, so that a link at the path cannot redirect the write.
void FailedStarts::Write(size_t count) const {
  ::unlink(file_.c_str());
  const ttrpc::UniqueFd file(
      ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return;
  const std::string text = std::to_string(count) + "\n";
  // A file that was cut short would not hold a count.
  if (::write(file.get(), text.data(), text.size()) < 0) Forget();
}

}  // namespace proxyd
