// SPDX-License-Identifier: Apache-2.0
//
// Output of ttrpc-proxyctl: results go to standard output, errors to standard error. Writes are not
// buffered, so that no output is lost if a signal ends the program. Only one thread may write.
#pragma once

#include <google/protobuf/message_lite.h>

#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace proxyd::ctl {

// Exit status: the daemon refused or cannot be reached, or the program itself failed.
inline constexpr int kFailed = 1;
// Exit status: the decision differs from --expect.
inline constexpr int kUnexpected = 2;

// Whether standard output is a terminal and neither NO_COLOR nor TERM=dumb forbids colours.
bool HasColours();
// Whether standard output is a terminal.
bool IsTerminal();

// Writes to standard output. Exits with EX_IOERR on an error, since later output would fail too.
void Print(std::string_view text);
// Screen shows a text that is refreshed. On a terminal each text replaces the last; long lines wrap
// and rows below the screen are cut. Otherwise it prints an empty line between two texts.
class Screen {
 public:
  void Show(std::string_view text);

 private:
  bool began_ = false;
};

// Writes `ttrpc-proxyctl: WHAT` and a newline to standard error, with control characters escaped in
// each line.
void Complain(std::string_view what);
// Does the same without the name of the program.
void ComplainPlainly(std::string_view lines);
// Complains and returns kFailed.
int Fail(std::string_view what);

// Returns `json` with the value of each key `time` or `*_time` written as RFC 3339 instead of
// microseconds since 1970.
std::string WithTimes(std::string_view json);
// Returns a message of the admin service as JSON: protobuf's mapping with the field names of the
// .proto file, default values included, but times as in an audit line. The text is one line if
// `compact`, and ends in a newline.
std::string ToJson(const google::protobuf::MessageLite& message, bool compact);

}  // namespace proxyd::ctl
