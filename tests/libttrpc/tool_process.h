// SPDX-License-Identifier: Apache-2.0
//
// Runs the real `ttrpc`, the program that the environment variable TTRPC names (or another program,
// with another TOOL_VARIABLE), with pipes for its standard streams. One thread, except for Write().
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "ttrpc/unique_fd.h"

namespace ttrpc::tool {

struct ToolResult {
  int status = -1;  // its exit status, or 128 plus the signal that ended it
  std::string out;
  std::string err;
};

class ToolProcess {
 public:
  explicit ToolProcess(const std::vector<std::string>& args, bool ignores_sigpipe = false);
  // Kills the program if it still runs.
  ~ToolProcess();
  ToolProcess(const ToolProcess&) = delete;
  ToolProcess& operator=(const ToolProcess&) = delete;

  void Write(const std::string& text);
  void CloseInput() { in_.reset(); }
  void CloseOutput() { out_.reset(); }
  // Returns the next line of standard output without its newline. The test fails if none arrives.
  std::string ReadLine();
  void Signal(int number) const;
  // Waits for the end of the program and returns the output that was not read before.
  ToolResult Wait();

 private:
  pid_t pid_ = -1;
  UniqueFd in_, out_, err_;
  std::string read_;  // read from out_, not yet returned
};

// Runs the program to its end, with `input` on standard input.
ToolResult RunTool(const std::vector<std::string>& args, const std::string& input = "");

// Runs the program with /dev/full as standard output. A shell splits `words` into arguments.
ToolResult RunToolOntoFullDevice(const std::string& words);

}  // namespace ttrpc::tool
