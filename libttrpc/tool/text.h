// SPDX-License-Identifier: Apache-2.0
//
// What a server says, made fit to be shown: it may be hostile, and a terminal obeys what it is
// sent. No I/O; any thread.
#pragma once

#include <string>
#include <string_view>

namespace ttrpc::tool {

// For a line on a terminal: control characters, and bytes that are no UTF-8, as `\xNN` or `\uNNNN`.
std::string Printable(std::string_view text);

// As a JSON string, with its quotes. Bytes that are no UTF-8 become U+FFFD.
std::string JsonQuoted(std::string_view text);

// The same for text of several lines: each is indented but the first.
std::string PrintableLines(std::string_view text);

}  // namespace ttrpc::tool
