// SPDX-License-Identifier: Apache-2.0
//
// What this program writes: to standard output what was asked for, to standard error what went
// wrong. Not buffered: what was printed has been seen, even if a signal ends the program. One
// thread.
#pragma once

#include <google/protobuf/message_lite.h>

#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace proxyd::ctl {

// As the exit status has it: the daemon said no, or cannot be reached; or we failed ourselves.
inline constexpr int kFailed = 1;
// What was asked about is not as --expect has it.
inline constexpr int kUnexpected = 2;

// Whether standard output is a terminal that wants colours.
bool HasColours();
bool IsTerminal();

// Exits with kFailed if it cannot be written: nothing that follows would be seen either.
void Print(std::string_view text);
// On a terminal, it takes the place of what was there: a line that is too long goes on in the next
// row, and what is below the last row is cut. Else as Print(), each time after a line that is
// empty, but the first.
class Screen {
 public:
  void Show(std::string_view text);

 private:
  bool began_ = false;
};

// `ttrpc-proxyctl: WHAT` and its newline. The text is made harmless, line by line.
void Complain(std::string_view what);
// The same without our name.
void ComplainPlainly(std::string_view lines);
int Fail(std::string_view what);  // gives kFailed

// That text with each `time` and `…_time`, which are microseconds since 1970 in the .proto file, as
// RFC 3339.
std::string WithTimes(std::string_view json);
// A message of the admin service in protobuf's own mapping, with the field names of the .proto
// file, and fields that have their default value, too; but times as in an audit line. On one line
// if `compact`; ends in a newline.
std::string ToJson(const google::protobuf::MessageLite& message, bool compact);

}  // namespace proxyd::ctl
