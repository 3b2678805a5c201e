// SPDX-License-Identifier: Apache-2.0
//
// Escapes text from untrusted sources for a configuration, a log, a JSON value or a terminal.
// Except in AppendUtf8(), no control character survives, so that a value cannot break or forge a
// line or control the reader's terminal. These functions are pure; any thread may call them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace text {

// Returns a TOML basic string that reads back as `value`.
std::string Quote(std::string_view value);
// Like Quote(), for messages: a long value is cut between characters and ends in `…`.
std::string QuoteShort(std::string_view value);
// Escapes like Quote(), without the quotes, and leaves `"` and `\` unchanged.
std::string OneLine(std::string_view value);

// Returns a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string JsonQuoted(std::string_view value);
// Appends the result of JsonQuoted(). A value of more than `limit` bytes is cut before the
// character that would exceed the limit, and ends in `…`.
void AppendJsonString(std::string_view value, size_t limit, std::string* out);
// Returns an upper bound of the bytes that AppendJsonString() appends.
size_t JsonStringBound(std::string_view value, size_t limit);
// Returns the exact number of bytes that AppendJsonString() appends.
size_t JsonStringSize(std::string_view value, size_t limit);

// Appends the value as UTF-8 without escapes, for an output that accepts any text. Bytes that are
// not UTF-8 become U+FFFD. Cuts like AppendJsonString().
void AppendUtf8(std::string_view value, size_t limit, std::string* out);

// Appends the value for readers of a log: control characters as \n, \t, …, \u00XX, and bytes that
// are not UTF-8 as \xXX. Cuts like AppendJsonString(). A backslash is left unchanged: lines must
// stay intact, but values need not be readable back.
void AppendPlainText(std::string_view value, size_t limit, std::string* out);

// Escapes a line for a terminal: control characters, and bytes that are not UTF-8, become \xXX or
// \uXXXX.
std::string Printable(std::string_view value);
// Like Printable(), for several lines. Each line but the first is indented.
std::string PrintableLines(std::string_view value);

}  // namespace text
