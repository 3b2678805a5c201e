// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-proxyctl: looks at a running ttrpc-proxyd, and directs it. Says how it went by its exit
// status: 0 fine, 1 the daemon said no or cannot be reached, 64 bad command line, 75 a name in the
// configuration does not resolve, yet, 78 bad configuration.
#include <fcntl.h>
#include <google/protobuf/stubs/logging.h>
#include <unistd.h>

#include <cstdlib>

#include "ctl/commands.h"
#include "ctl/options.h"

namespace proxyd::ctl {
namespace {

// A socket must not take the place of a standard stream that is closed. What takes it can neither
// be read, as standard input, nor written.
void FillStandardStreams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1) continue;
    if (::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) std::abort();
  }
}

int Main(int argc, char** argv) {
  FillStandardStreams();
  // What protobuf has to say comes as an error of the function that was called.
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
    case Command::kMetrics:
      return RunMetrics(options);
    default:
      return RunLook(options);
  }
}

}  // namespace
}  // namespace proxyd::ctl

int main(int argc, char** argv) { return proxyd::ctl::Main(argc, argv); }
