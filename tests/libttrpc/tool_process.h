// SPDX-License-Identifier: Apache-2.0
//
// The real `ttrpc` (the program that the environment variable TTRPC names, or another one, as
// TOOL_VARIABLE says when this is compiled), with pipes for its standard streams. One thread, but
// for Write().
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
  // Kills it if it still runs.
  ~ToolProcess();
  ToolProcess(const ToolProcess&) = delete;
  ToolProcess& operator=(const ToolProcess&) = delete;

  void Write(const std::string& text);
  void CloseInput() { in_.reset(); }
  void CloseOutput() { out_.reset(); }
  // The next line of its standard output, without its newline; the test fails if none comes.
  std::string ReadLine();
  void Signal(int number) const;
  // Waits for its end, and gives what was not read before.
  ToolResult Wait();

 private:
  pid_t pid_ = -1;
  UniqueFd in_, out_, err_;
  std::string read_;  // from out_, not yet asked for
};

// To its end, with `input` on its standard input.
ToolResult RunTool(const std::vector<std::string>& args, const std::string& input = "");

// With /dev/full as its standard output. `words`: its arguments, as a shell parts them.
ToolResult RunToolOntoFullDevice(const std::string& words);

}  // namespace ttrpc::tool
