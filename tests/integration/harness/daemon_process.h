// SPDX-License-Identifier: Apache-2.0
//
// DaemonProcess: runs the real ttrpc-proxyd (the program that the environment variable TTRPC_PROXYD
// names) and collects its lines on standard error in a thread. The test's own thread starts and
// ends the daemon.
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
  kOnlyRoot,  // a new namespace that maps only uid and gid 0
};

// The environment that the daemon is started in.
struct DaemonSurroundings {
  UserNamespace user_namespace = UserNamespace::kOurs;
  std::vector<std::string> environment = {};  // added to the test's environment
  // Passed by FileDescriptorName=, as systemd passes sockets; the caller keeps the descriptors.
  std::vector<std::pair<std::string, int>> sockets = {};
  std::optional<rlimit> descriptors = {};  // RLIMIT_NOFILE
  bool pid_namespace = false;  // starts the daemon in a new one, without other processes
  // The daemon's standard error, which the caller keeps. -1 is the pipe that collects the lines.
  int standard_error = -1;
};

// Whether the daemon was built with AddressSanitizer or ThreadSanitizer, under which memory cannot
// be measured. The tests themselves may come from another build.
bool DaemonIsSanitized();

class DaemonProcess {
 public:
  explicit DaemonProcess(const std::vector<std::string>& args,
                         const DaemonSurroundings& surroundings = {});
  // Kills the daemon if it still runs.
  ~DaemonProcess();
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  pid_t pid() const { return pid_; }

  // Waits for the line that reports that all listeners listen. If none comes, returns false and the
  // test fails.
  bool WaitUntilReady();

  // Waits for `count` lines that `matches` accepts, and returns all such lines so far. The test
  // fails if they do not come within kDeadline.
  using LineMatcher = std::function<bool(const std::string&)>;
  std::vector<std::string> WaitForLines(size_t count, const LineMatcher& matches) const;
  // Returns everything that the daemon wrote so far.
  std::string log() const;

  void Signal(int number) const;
  bool running() const { return !status_.has_value(); }
  // Waits for the end and returns the exit status, or 128 plus the signal that ended the daemon.
  // All its lines are in log() then.
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
  bool ended_ = false;  // no more lines will come
};

struct CommandResult {
  int status = -1;  // the same as WaitForExit() returns
  std::string out;
  std::string err;
};

// Runs ttrpc-proxyd with these arguments until it ends.
CommandResult RunDaemon(const std::vector<std::string>& args);

// A program, found by PATH, that runs in `directory`. `environment` is added to the test's.
struct Command {
  std::vector<std::string> args = {};
  std::string directory = ".";
  std::vector<std::string> environment = {};
};
CommandResult RunCommand(const Command& command);

}  // namespace integration
