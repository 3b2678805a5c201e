// SPDX-License-Identifier: Apache-2.0
//
// DaemonProcess: the real ttrpc-proxyd (the program that the environment variable TTRPC_PROXYD
// names), and what it writes on standard error. The test's own thread starts and ends it; a thread
// collects its lines.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ttrpc/unique_fd.h"

namespace integration {

enum class UserNamespace {
  kOurs,
  kOnlyRoot,  // one of its own that maps uid and gid 0, and nothing else
};

// As what the daemon is started.
struct DaemonSurroundings {
  UserNamespace user_namespace = UserNamespace::kOurs;
  std::vector<std::string> environment = {};  // added to ours
  // Passed as systemd passes sockets, by FileDescriptorName=; the descriptors stay the caller's.
  std::vector<std::pair<std::string, int>> sockets = {};
  std::optional<rlimit> descriptors = {};  // RLIMIT_NOFILE
  bool pid_namespace = false;              // one of its own, in which it sees nobody else
  // Instead of the pipe that its lines are collected from; stays the caller's. -1: that pipe.
  int standard_error = -1;
};

// Whether the daemon was built with AddressSanitizer or ThreadSanitizer, with which memory cannot
// be measured. The tests themselves may come from another build.
bool DaemonIsSanitized();

class DaemonProcess {
 public:
  explicit DaemonProcess(const std::vector<std::string>& args,
                         const DaemonSurroundings& surroundings = {});
  // Kills it if it still runs.
  ~DaemonProcess();
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  pid_t pid() const { return pid_; }

  // Waits for the line that says that all listeners listen. False (and the test fails): none came.
  bool WaitUntilReady();

  // Waits for `count` lines of which `matches` is true and returns all there are; the test fails if
  // they do not come within kDeadline.
  using LineMatcher = std::function<bool(const std::string&)>;
  std::vector<std::string> WaitForLines(size_t count, const LineMatcher& matches) const;
  // All that it wrote so far.
  std::string log() const;

  void Signal(int number) const;
  bool running() const { return !status_.has_value(); }
  // Waits for the end. The exit status, or 128 plus the signal that ended it; all lines are there
  // then.
  int WaitForExit();

 private:
  void CollectLines(ttrpc::UniqueFd read_end);

  pid_t pid_ = -1;
  ttrpc::UniqueFd pidfd_;
  std::optional<int> status_;
  std::thread collector_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::string> lines_;
  bool ended_ = false;  // no more lines
};

struct CommandResult {
  int status = -1;  // as WaitForExit()
  std::string out;
  std::string err;
};

// Runs ttrpc-proxyd with these arguments to its end.
CommandResult RunDaemon(const std::vector<std::string>& args);

// Runs any program, found by PATH, in `directory`, with `environment` added to ours.
struct Command {
  std::vector<std::string> args = {};
  std::string directory = ".";
  std::vector<std::string> environment = {};
};
CommandResult RunCommand(const Command& command);

}  // namespace integration
