// SPDX-License-Identifier: Apache-2.0
#include "tool_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <utility>

namespace ttrpc::tool {
namespace {

// Tests of other programs define TOOL_VARIABLE.
#ifndef TOOL_VARIABLE
#define TOOL_VARIABLE "TTRPC"
#endif

// Nothing takes longer than this on a busy machine unless it hangs.
constexpr int kPatienceMs = 60'000;

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read = UniqueFd(ends[0]);
    write = UniqueFd(ends[1]);
  }
  UniqueFd read, write;
};

// Returns false at the end of the output, or if nothing arrives in time, which fails the test.
bool ReadSome(int fd, std::string* text) {
  pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
  if (::poll(&readable, 1, kPatienceMs) != 1) {
    ADD_FAILURE() << "the program hangs";
    return false;
  }
  char bytes[4096];
  const ssize_t n = ::read(fd, bytes, sizeof(bytes));
  if (n > 0) text->append(bytes, static_cast<size_t>(n));
  return n > 0;
}

}  // namespace

ToolProcess::ToolProcess(const std::vector<std::string>& args, bool ignores_sigpipe) {
  // The test ignores SIGPIPE, because the program may end before it has read all its input.
  ::signal(SIGPIPE, SIG_IGN);
  const char* program = ::getenv(TOOL_VARIABLE);
  if (program == nullptr) {
    ADD_FAILURE() << TOOL_VARIABLE " does not name the program";
    return;
  }
  std::vector<char*> argv = {const_cast<char*>(program)};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  Pipe in;
  Pipe out;
  Pipe err;
  posix_spawnattr_t attributes;
  sigset_t to_default;
  ::sigemptyset(&to_default);
  ::posix_spawnattr_init(&attributes);
  // A shell that runs the tests in the background makes them ignore SIGINT.
  ::sigaddset(&to_default, SIGINT);
  if (!ignores_sigpipe) ::sigaddset(&to_default, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &to_default);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.read.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.write.get(), STDERR_FILENO);
  EXPECT_EQ(::posix_spawn(&pid_, program, &actions, &attributes, argv.data(), environ), 0);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  in_ = std::move(in.write);
  out_ = std::move(out.read);
  err_ = std::move(err.read);
}

ToolProcess::~ToolProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ToolProcess::Write(const std::string& text) {
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t n = ::write(in_.get(), text.data() + written, text.size() - written);
    if (n < 0) return;
    written += static_cast<size_t>(n);
  }
}

std::string ToolProcess::ReadLine() {
  size_t end = 0;
  while ((end = read_.find('\n')) == std::string::npos) {
    if (ReadSome(out_.get(), &read_)) continue;
    ADD_FAILURE() << "incomplete line: " << read_;
    return std::exchange(read_, {});
  }
  std::string line = read_.substr(0, end);
  read_.erase(0, end + 1);
  return line;
}

void ToolProcess::Signal(int number) const { EXPECT_EQ(::kill(pid_, number), 0); }

ToolResult ToolProcess::Wait() {
  ToolResult result;
  result.out = std::exchange(read_, {});
  // The output to standard error fits into the pipe.
  while (out_ && ReadSome(out_.get(), &result.out)) {
  }
  while (ReadSome(err_.get(), &result.err)) {
  }
  int status = 0;
  EXPECT_EQ(::waitpid(std::exchange(pid_, -1), &status, 0) > 0, true);
  result.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

ToolResult RunTool(const std::vector<std::string>& args, const std::string& input) {
  ToolProcess process(args);
  std::thread writer([&] {
    process.Write(input);
    process.CloseInput();
  });
  ToolResult result = process.Wait();
  writer.join();
  return result;
}

ToolResult RunToolOntoFullDevice(const std::string& words) {
  const std::string command = "\"$" TOOL_VARIABLE "\" " + words + " 2>&1 >/dev/full";
  FILE* pipe = ::popen(command.c_str(), "r");  // NOLINT(cert-env33-c): a trusted command
  ToolResult result;
  for (int c = 0; pipe != nullptr && (c = ::fgetc(pipe)) != EOF;)
    result.err += static_cast<char>(c);
  result.status = pipe != nullptr ? WEXITSTATUS(::pclose(pipe)) : -1;
  return result;
}

}  // namespace ttrpc::tool
