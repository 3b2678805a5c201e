// SPDX-License-Identifier: Apache-2.0
//
// Finds the names in .proto files from which C++ would be generated that does not compile, before a
// compiler does. Most of these names are in the code that protoc itself generates: its own check
// knows only the keywords of C++17. Pure; any thread.
#pragma once

#include <google/protobuf/descriptor.h>

#include <set>
#include <string>
#include <vector>

#include "options.h"

namespace ttrpc::compiler {

// Each text is one line: `FILE:LINE:COLUMN: error: what is wrong; what to do`, or `warning:`.
struct Findings {
  std::vector<std::string> errors;
  std::vector<std::string> warnings;  // the code compiles with some options of the compiler
};

// Checks the files and their imports, except those of protobuf itself, which it installs compiled.
Findings CheckFiles(const std::vector<const google::protobuf::FileDescriptor*>& files,
                    const Options& options);

// Returns the names in the file that are macros, and that a header can undefine.
std::set<std::string> MacrosIn(const google::protobuf::FileDescriptor& file);

}  // namespace ttrpc::compiler
