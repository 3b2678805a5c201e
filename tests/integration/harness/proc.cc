// SPDX-License-Identifier: Apache-2.0
#include "harness/proc.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "harness/io.h"

namespace integration {

namespace {

std::string FolderOf(pid_t pid) { return "/proc/" + std::to_string(pid); }

}  // namespace

size_t SocketsOf(pid_t pid) {
  size_t count = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(FolderOf(pid) + "/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    std::error_code gone;  // entries may vanish meanwhile
    if (std::filesystem::read_symlink(entry->path(), gone).string().starts_with("socket:")) ++count;
  }
  EXPECT_FALSE(error) << "process " << pid << " is gone";
  return count;
}

size_t DescriptorsOf(pid_t pid) {
  size_t count = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(FolderOf(pid) + "/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++count;
  }
  EXPECT_FALSE(error) << "process " << pid << " is gone";
  return count;
}

std::chrono::milliseconds ProcessorTimeOf(pid_t pid) {
  const std::string stat = ReadFile(FolderOf(pid) + "/stat");
  // proc(5): the times are the 12th and 13th fields after the name, which may contain any
  // character.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) {
    ADD_FAILURE() << "process " << pid << " is gone";
    return {};
  }
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  long user = 0;
  long system = 0;
  fields >> user >> system;
  return std::chrono::milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

ProcessLimit DescriptorLimitOf(pid_t pid) {
  const std::string name = "Max open files";
  std::istringstream limits(ReadFile(FolderOf(pid) + "/limits"));
  ProcessLimit limit;
  for (std::string line; std::getline(limits, line);) {
    if (line.starts_with(name))
      std::istringstream(line.substr(name.size())) >> limit.soft >> limit.hard;
  }
  return limit;
}

}  // namespace integration
