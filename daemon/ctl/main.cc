// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-proxyctl: inspects and controls a running ttrpc-proxyd. man/ttrpc-proxyctl.1 lists the exit
// statuses.
#include <fcntl.h>
#include <google/protobuf/stubs/logging.h>
#include <unistd.h>

#include <cstdlib>

#include "ctl/commands.h"
#include "ctl/options.h"

namespace proxyd::ctl {
namespace {

// FillStandardStreams() keeps a socket from getting the number of a closed standard stream. The
// replacement fails on use: standard input is write-only, the others are read-only.
void FillStandardStreams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1) continue;
    if (::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) std::abort();
  }
}

int Main(int argc, char** argv) {
  FillStandardStreams();
  // The functions that we call return errors; protobuf must not also log to standard error.
  google::protobuf::SetLogHandler(nullptr);
  Options options;
  if (const auto status = ParseCommandLine(argc, argv, &options)) return *status;
  switch (options.command) {
    case Command::kReload:
      return RunReload(options);
    case Command::kDrain:
    case Command::kLogLevel:
    case Command::kClose:
      return RunAction(options);
    case Command::kExplain:
      return RunExplain(options);
    case Command::kTap:
      return RunTap(options);
    case Command::kLearn:
      return RunLearn(options);
    case Command::kMethodSets:
      return RunMethodSets(options);
    case Command::kMetrics:
      return RunMetrics(options);
    default:
      return RunLook(options);
  }
}

}  // namespace
}  // namespace proxyd::ctl

int main(int argc, char** argv) { return proxyd::ctl::Main(argc, argv); }
