// SPDX-License-Identifier: Apache-2.0
//
// Escapes text that somebody else chose, for a configuration, a log, a JSON value or a terminal. No
// control character survives, except in AppendUtf8(), so that a value cannot break a line, forge
// one or control the reader's terminal. These functions are pure; any thread may call them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace text {

// As a basic string of TOML, which reads back the same.
std::string Quote(std::string_view value);
// The same for messages: a long value is cut, between characters, and ends in `…`.
std::string QuoteShort(std::string_view value);
// As in a quoted string, but without the quotes, and with `"` and `\` as they are.
std::string OneLine(std::string_view value);

// As a JSON string, with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string JsonQuoted(std::string_view value);
// The same, appended. A value of more than `limit` bytes is cut before the character that would go
// beyond it, and ends in `…`.
void AppendJsonString(std::string_view value, size_t limit, std::string* out);
// The most bytes that AppendJsonString() appends.
size_t JsonStringBound(std::string_view value, size_t limit);
// How many bytes AppendJsonString() appends.
size_t JsonStringSize(std::string_view value, size_t limit);

// Appends the value itself, as UTF-8, for an output that takes any text. Bytes that are not UTF-8
// become U+FFFD. A long value is cut as above.
void AppendUtf8(std::string_view value, size_t limit, std::string* out);

// For people who read a log: control characters as \n, \t, …, \u00XX, and bytes that are not UTF-8
// as \xXX. Cut as above. A backslash stays as it is: the aim is that lines hold, not that values
// can be read back.
void AppendPlainText(std::string_view value, size_t limit, std::string* out);

// For a line on a terminal: control characters, and bytes that are not UTF-8, as \xXX or \uXXXX.
std::string Printable(std::string_view value);
// The same for text of several lines: each but the first is indented.
std::string PrintableLines(std::string_view value);

}  // namespace text
