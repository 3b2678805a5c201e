// SPDX-License-Identifier: Apache-2.0
#include "observe/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace proxyd {

namespace {

constexpr double kMicro = 1e-6;
constexpr double kNano = 1e-9;

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * kMicro;
}

double Now(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * kNano;
}

// Returns the 22nd field of /proc/self/stat (see proc(5)) in seconds since 1970. The 2nd field may
// contain spaces.
double StartTime() {
  constexpr int kFieldsBetween = 19;
  std::ifstream file("/proc/self/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < kFieldsBetween; ++i) fields >> skipped;
  double ticks = 0;
  if (!(fields >> ticks)) return 0;
  const double booted = Now(CLOCK_REALTIME) - Now(CLOCK_BOOTTIME);
  return booted + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

uint64_t CountDescriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator folder("/proc/self/fd", error);
  if (error) return 0;
  // The descriptor used for counting does not count.
  const auto count = static_cast<uint64_t>(std::distance(begin(folder), end(folder)));
  return count > 0 ? count - 1 : 0;
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    stats.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  stats.start_time = StartTime();
  std::ifstream memory("/proc/self/statm");
  uint64_t virtual_pages = 0;
  uint64_t resident_pages = 0;
  if (memory >> virtual_pages >> resident_pages) {
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    stats.virtual_bytes = virtual_pages * page;
    stats.resident_bytes = resident_pages * page;
  }
  stats.open_descriptors = CountDescriptors();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.most_descriptors = limit.rlim_cur;
  return stats;
}

}  // namespace proxyd
