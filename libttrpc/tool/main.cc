// SPDX-License-Identifier: Apache-2.0
//
// ttrpc: calls methods of ttrpc servers and shows the definitions in a schema. The exit status
// reports the outcome; see man/ttrpc.1.
#include <fcntl.h>
#include <google/protobuf/stubs/logging.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "call_command.h"
#include "describe.h"
#include "options.h"
#include "schema.h"
#include "standard_output.h"

namespace ttrpc::tool {
namespace {

// Fills closed standard streams, so that no socket takes their place. Standard input becomes
// unreadable and the others become unwritable, so that using them still fails.
void FillStandardStreams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1) continue;
    if (::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) std::abort();
  }
}

void Complain(const std::string& what) { (void)Write(STDERR_FILENO, what + "\n"); }

int PrintOf(const Result<std::string>& text) {
  if (!text) {
    Complain("ttrpc: " + text.error().message());
    return EX_DATAERR;
  }
  const Status written = Write(STDOUT_FILENO, *text);
  if (written.ok()) return EXIT_SUCCESS;
  Complain("ttrpc: " + written.message());
  return EX_IOERR;
}

int Run(const Options& options) {
  std::unique_ptr<Schema> schema;
  if (!options.raw) {
    std::vector<std::string> errors;
    schema = Schema::Load(options.schema, &errors);
    for (const std::string& error : errors) Complain(error);
    if (!schema) return EX_DATAERR;
  }
  switch (options.command) {
    case Options::Command::kCall:
      return RunCall(options, schema.get());
    case Options::Command::kList:
      return PrintOf(options.symbol.empty() ? ListServices(*schema)
                                            : ListMethods(*schema, options.symbol));
    case Options::Command::kDescribe:
      return PrintOf(Describe(*schema, options.symbol));
  }
  return EX_USAGE;
}

int Main(int argc, char** argv) {
  FillStandardStreams();
  // Protobuf's messages are returned by the functions that are called, so its log is not needed.
  google::protobuf::SetLogHandler(nullptr);
  Options options;
  if (const auto status = ParseCommandLine(argc, argv, &options)) return *status;
  return Run(options);
}

}  // namespace
}  // namespace ttrpc::tool

int main(int argc, char** argv) { return ttrpc::tool::Main(argc, argv); }
