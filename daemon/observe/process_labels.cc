// SPDX-License-Identifier: Apache-2.0
#include "observe/process_labels.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "ttrpc/unique_fd.h"

namespace proxyd {

namespace {

// The size of `/proc/`, a pid, `/` and the longest file name.
using Path = std::array<char, 40>;

// Returns the first line of a file, which fits into `buffer`, or "" if it cannot be read. The view
// points into `buffer`.
std::string_view ReadLine(pid_t pid, const char* name, std::array<char, 32>* buffer) {
  Path path{};
  std::memcpy(path.data(), "/proc/", 6);
  const auto number = std::to_chars(path.data() + 6, path.data() + 20, pid);
  *number.ptr = '/';
  std::strcpy(number.ptr + 1, name);
  const ttrpc::UniqueFd file(::open(path.data(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return {};
  const ssize_t size = ::read(file.get(), buffer->data(), buffer->size());
  if (size <= 0) return {};
  const std::string_view text(buffer->data(), static_cast<size_t>(size));
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

}  // namespace

ProcessLabels ReadProcessLabels(pid_t pid) {
  ProcessLabels labels;
  if (pid <= 0) return labels;
  std::array<char, 32> buffer{};
  const std::string_view comm = ReadLine(pid, "comm", &buffer);
  labels.comm_size_ = static_cast<uint8_t>(std::min(comm.size(), labels.comm_.size()));
  std::copy_n(comm.begin(), labels.comm_size_, labels.comm_.begin());
  const std::string_view loginuid = ReadLine(pid, "loginuid", &buffer);
  std::from_chars(loginuid.data(), loginuid.data() + loginuid.size(), labels.loginuid_);
  return labels;
}

}  // namespace proxyd
