// SPDX-License-Identifier: Apache-2.0
#include "harness/daemon_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>

#include "harness/io.h"

namespace integration {

namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) ADD_FAILURE() << "pipe2 failed";
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  ttrpc::UniqueFd read;
  ttrpc::UniqueFd write;
};

// The settings that a child makes for itself before it executes another program.
struct Child {
  std::vector<std::string> args = {};
  std::vector<std::string> environment = {};  // all of it; if empty, ours
  std::string directory = ".";
  int out = -1;  // -1: /dev/null
  int err = -1;
  Pipe* namespace_made = nullptr;  // both or none; notifies the parent and waits for the maps
  Pipe* maps_written = nullptr;
  std::vector<int> sockets = {};  // become descriptors 3, 4, …
  std::optional<rlimit> descriptors = {};
  bool pid_namespace = false;
};

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

constexpr size_t kPidDigits = 10;
const std::string kListenPid = "LISTEN_PID=";

// The child calls this after fork(2); see BecomeProgram().
void PassSockets(const Child& child, char** environment) {
  if (child.sockets.empty()) return;
  constexpr int kFirst = 3;     // SD_LISTEN_FDS_START
  constexpr int kAside = 1000;  // beyond all of 3, 4, …
  const int count = static_cast<int>(child.sockets.size());
  for (int i = 0; i < count; ++i) ::dup2(child.sockets[static_cast<size_t>(i)], kAside + i);
  for (int i = 0; i < count; ++i) ::dup2(kAside + i, kFirst + i);
  for (; *environment != nullptr; ++environment) {
    if (std::string_view(*environment).substr(0, kListenPid.size()) != kListenPid) continue;
    // The digits are written from the right, then moved to the left, to have no leading zeros.
    char* const digits = *environment + kListenPid.size();
    size_t begin = kPidDigits;
    for (pid_t pid = ::getpid(); pid > 0; pid /= 10) {
      digits[--begin] = static_cast<char>('0' + pid % 10);
    }
    std::memmove(digits, digits + begin, kPidDigits - begin + 1);
  }
}

// This runs between fork(2) and exec in a process with threads, so it may only use system calls.
[[noreturn]] void BecomeProgram(const Child& child, char** args, char** environment) {
  if (child.namespace_made != nullptr) {
    char byte = 0;
    if (::unshare(CLONE_NEWUSER) != 0 ||
        ::write(child.namespace_made->write.get(), &byte, 1) != 1 ||
        ::read(child.maps_written->read.get(), &byte, 1) != 1) {
      ::_exit(126);
    }
  }
  // nohup and a shell's background jobs ignore some signals, and their programs inherit that.
  for (const int number : {SIGHUP, SIGINT, SIGQUIT}) ::signal(number, SIG_DFL);
  // A test that dies must not leave its daemon behind.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, STDIN_FILENO);
  ::dup2(child.out >= 0 ? child.out : null, STDOUT_FILENO);
  ::dup2(child.err >= 0 ? child.err : null, STDERR_FILENO);
  PassSockets(child, environment);
  if (child.descriptors && ::setrlimit(RLIMIT_NOFILE, &*child.descriptors) != 0) ::_exit(126);
  if (::chdir(child.directory.c_str()) == 0) ::execvpe(args[0], args, environment);
  ::_exit(127);
}

void WriteMaps(pid_t pid, const Pipe& namespace_made, const Pipe& maps_written) {
  char byte = 0;
  if (::read(namespace_made.read.get(), &byte, 1) != 1) {
    ADD_FAILURE() << "the kernel does not permit user namespaces";
  }
  const std::string folder = "/proc/" + std::to_string(pid);
  std::ofstream(folder + "/uid_map") << "0 0 1\n";
  std::ofstream(folder + "/gid_map") << "0 0 1\n";
  EXPECT_EQ(::write(maps_written.write.get(), &byte, 1), 1);
}

pid_t Spawn(Child child) {
  std::vector<char*> args = Pointers(child.args);
  std::vector<char*> environment = Pointers(child.environment);
  char** chosen = child.environment.empty() ? environ : environment.data();
  // unshare(2) affects the next children of this thread only, and setns(2) below undoes it.
  const ttrpc::UniqueFd ours(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
  if (child.pid_namespace && ::unshare(CLONE_NEWPID) != 0) ADD_FAILURE() << "no pid namespace";
  const pid_t pid = ::fork();
  if (pid == 0) BecomeProgram(child, args.data(), chosen);
  if (child.pid_namespace && ::setns(ours.get(), CLONE_NEWPID) != 0) std::abort();
  if (pid < 0) ADD_FAILURE() << "fork failed";
  return pid;
}

const char* DaemonPath() {
  const char* program = std::getenv("TTRPC_PROXYD");
  if (program == nullptr) {
    std::cerr << "TTRPC_PROXYD does not name the daemon to test\n";
    std::exit(EXIT_FAILURE);  // no test can run
  }
  return program;
}

bool ContainsSanitizer(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string program{std::istreambuf_iterator<char>(file), {}};
  if (program.empty()) throw std::runtime_error(std::string(path) + " cannot be read");
  return program.find("__asan_init") != std::string::npos ||
         program.find("__tsan_init") != std::string::npos;
}

std::vector<std::string> DaemonCommand(const std::vector<std::string>& args) {
  std::vector<std::string> command = {DaemonPath()};
  command.insert(command.end(), args.begin(), args.end());
  return command;
}

int ExitStatus(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

// glibc 2.36's declaration of pidfd_open cannot be linked from C++.
ttrpc::UniqueFd OpenPidfd(pid_t pid) {
  return ttrpc::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// Returns the exit status of a child that ends within kDeadline. Any other is killed.
int WaitForChild(pid_t pid, const ttrpc::UniqueFd& pidfd) {
  constexpr std::chrono::milliseconds kLongest = kDeadline;
  pollfd entry = {.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&entry, 1, static_cast<int>(kLongest.count()));
  } while (ready < 0 && errno == EINTR);
  if (ready != 1) {
    ADD_FAILURE() << "process " << pid << " does not end";
    ::kill(pid, SIGKILL);
  }
  int wait_status = 0;
  ::waitpid(pid, &wait_status, 0);
  return ExitStatus(wait_status);
}

std::string ReadToEnd(int fd) {
  std::string out;
  char bytes[4096];
  for (ssize_t got = 0; (got = ::read(fd, bytes, sizeof bytes)) > 0;) {
    out.append(bytes, static_cast<size_t>(got));
  }
  return out;
}

std::vector<std::string> OurEnvironmentAnd(const std::vector<std::string>& more) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// LeakSanitizer finds the threads of a process by their numbers in /proc. Those there are not the
// numbers of a pid namespace, so it would take a running thread for one that it could not stop.
void LookForNoLeaks(std::vector<std::string>* environment) {
  const std::string name = "ASAN_OPTIONS=";
  std::string options = name;
  std::erase_if(*environment, [&](const std::string& entry) {
    if (!entry.starts_with(name)) return false;
    options = entry + ":";
    return true;
  });
  environment->push_back(options + "detect_leaks=0");
}

void Surround(const DaemonSurroundings& surroundings, Child* child) {
  child->environment = OurEnvironmentAnd(surroundings.environment);
  if (surroundings.pid_namespace) LookForNoLeaks(&child->environment);
  child->descriptors = surroundings.descriptors;
  child->pid_namespace = surroundings.pid_namespace;
  if (surroundings.standard_error >= 0) child->err = surroundings.standard_error;
  if (surroundings.sockets.empty()) return;
  std::string names;
  for (const auto& [name, fd] : surroundings.sockets) {
    names.append(names.empty() ? "" : ":").append(name);
    child->sockets.push_back(fd);
  }
  child->environment.push_back(kListenPid + std::string(kPidDigits, '0'));
  child->environment.push_back("LISTEN_FDS=" + std::to_string(child->sockets.size()));
  child->environment.push_back("LISTEN_FDNAMES=" + names);
}

}  // namespace

bool DaemonIsSanitized() {
  static const bool kSanitized = ContainsSanitizer(DaemonPath());
  return kSanitized;
}

DaemonProcess::DaemonProcess(const std::vector<std::string>& args,
                             const DaemonSurroundings& surroundings) {
  const UserNamespace user_namespace = surroundings.user_namespace;
  Pipe err;
  Pipe namespace_made;
  Pipe maps_written;
  Child child = {.args = DaemonCommand(args), .err = err.write.get()};
  if (user_namespace == UserNamespace::kOnlyRoot) {
    child.namespace_made = &namespace_made;
    child.maps_written = &maps_written;
  }
  Surround(surroundings, &child);
  pid_ = Spawn(std::move(child));
  pidfd_ = OpenPidfd(pid_);
  err.write.reset();
  if (user_namespace == UserNamespace::kOnlyRoot) WriteMaps(pid_, namespace_made, maps_written);
  collector_ = std::thread([this](ttrpc::UniqueFd read_end) { CollectLines(std::move(read_end)); },
                           std::move(err.read));
}

DaemonProcess::~DaemonProcess() {
  if (running()) {
    Signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (collector_.joinable()) collector_.join();
}

void DaemonProcess::CollectLines(ttrpc::UniqueFd read_end) {
  std::string pending;
  char bytes[4096];
  for (ssize_t got = 0; (got = ::read(read_end.get(), bytes, sizeof bytes)) > 0;) {
    pending.append(bytes, static_cast<size_t>(got));
    const std::lock_guard lock(mutex_);
    for (size_t end = 0; (end = pending.find('\n')) != std::string::npos;) {
      lines_.push_back(pending.substr(0, end));
      pending.erase(0, end + 1);
    }
    changed_.notify_all();
  }
  const std::lock_guard lock(mutex_);
  if (!pending.empty()) lines_.push_back(std::move(pending));
  ended_ = true;
  changed_.notify_all();
}

std::vector<std::string> DaemonProcess::WaitForLines(size_t count,
                                                     const LineMatcher& matches) const {
  std::unique_lock lock(mutex_);
  std::vector<std::string> found;
  size_t seen = 0;
  changed_.wait_for(lock, kDeadline, [this, count, &matches, &found, &seen] {
    for (; seen < lines_.size(); ++seen) {
      if (matches(lines_[seen])) found.push_back(lines_[seen]);
    }
    return found.size() >= count || ended_;
  });
  EXPECT_GE(found.size(), count) << "the daemon did not write this many such lines";
  return found;
}

bool DaemonProcess::WaitUntilReady() {
  const auto is_ready = [](const std::string& line) {
    return line.find("ready") != std::string::npos;
  };
  if (!WaitForLines(1, is_ready).empty()) return true;
  ADD_FAILURE() << "the daemon is not ready; it wrote:\n" << log();
  return false;
}

std::string DaemonProcess::log() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const std::string& line : lines_) out.append(line).append("\n");
  return out;
}

void DaemonProcess::Signal(int number) const {
  if (::kill(pid_, number) != 0) ADD_FAILURE() << "cannot signal the daemon";
}

int DaemonProcess::WaitForExit() {
  if (status_.has_value()) return *status_;
  status_ = WaitForChild(pid_, pidfd_);
  collector_.join();
  return *status_;
}

CommandResult RunDaemon(const std::vector<std::string>& args) {
  return RunCommand({.args = DaemonCommand(args)});
}

CommandResult RunCommand(const Command& command) {
  Pipe out;
  Pipe err;
  Child child = {.args = command.args,
                 .directory = command.directory,
                 .out = out.write.get(),
                 .err = err.write.get()};
  if (!command.environment.empty()) child.environment = OurEnvironmentAnd(command.environment);
  const pid_t pid = Spawn(std::move(child));
  out.write.reset();
  err.write.reset();
  CommandResult result;
  std::thread read_err([&result, &err] { result.err = ReadToEnd(err.read.get()); });
  const ttrpc::UniqueFd pidfd = OpenPidfd(pid);
  std::thread read_out([&result, &out] { result.out = ReadToEnd(out.read.get()); });
  result.status = WaitForChild(pid, pidfd);
  read_err.join();
  read_out.join();
  return result;
}

}  // namespace integration
