// SPDX-License-Identifier: Apache-2.0
//
// The comments of .proto files in C++. Pure; any thread. A file may contain any bytes in its
// comments, and none of them may end a comment or change how the code after it is read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ttrpc::compiler {

// Returns the lines of a comment, each safe after `//`:
// - no line contains a character that ends a line, or ends in what continues it on the next line;
// - control characters, those that change the direction of text, and invalid UTF-8 are replaced by
//   U+FFFD, because compilers warn about them.
std::vector<std::string> CommentLines(std::string_view text);

}  // namespace ttrpc::compiler
