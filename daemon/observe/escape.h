// SPDX-License-Identifier: Apache-2.0
//
// Writing values into lines: of the log and of the audit. Whatever the value holds, what is
// appended is valid UTF-8 in one line, without control characters, and bounded in length: a peer
// can neither break a line nor forge one, nor drive the terminal of whoever reads it. Pure; any
// thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace proxyd {

// The value in double quotes, as JSON wants it. Bytes that are not UTF-8 become U+FFFD. A value of
// more than `limit` bytes is cut before the character that would go beyond it, and ends in "…".
void AppendJsonString(std::string_view value, size_t limit, std::string* out);
// The most bytes that this appends.
size_t JsonStringBound(std::string_view value, size_t limit);

// How many bytes that appends.
size_t JsonStringSize(std::string_view value, size_t limit);

// The value itself as UTF-8, for outputs that take any text. Other bytes become U+FFFD. Cut as
// above.
void AppendUtf8(std::string_view value, size_t limit, std::string* out);

// The value for people: control characters as \n, \t, …, \u00XX, and bytes that are not UTF-8 as
// \xXX. Cut as above. A backslash stays as it is: the aim is that lines hold, not that values can
// be read back.
void AppendPlainText(std::string_view value, size_t limit, std::string* out);

void AppendNumber(uint64_t number, std::string* out);

// RFC 3339 in UTC with microseconds: 2024-01-31T23:59:59.000001Z.
void AppendTime(std::chrono::system_clock::time_point time, std::string* out);

}  // namespace proxyd
