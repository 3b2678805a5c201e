// SPDX-License-Identifier: Apache-2.0
//
// Text between quotes, as TOML's basic strings have it: what is printed can be read back, and no
// control character reaches a terminal or a log. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace proxyd {

std::string Quote(std::string_view text);

// For messages: long text is cut, between characters, and ends in `…`.
std::string QuoteShort(std::string_view text);

// What somebody else wrote, on one line: control characters are escaped as in a quoted string.
std::string OneLine(std::string_view text);

}  // namespace proxyd
