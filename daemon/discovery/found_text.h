// SPDX-License-Identifier: Apache-2.0
//
// Found text: names and addresses as file systems and shims contain them, from hostile sources.
// Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "ttrpc/address.h"
#include "ttrpc/status.h"

namespace proxyd {

// Returns what is wrong with a namespace or an id, or "". A good one is not empty, `.` or `..`, is
// valid UTF-8, and has no slash, backslash or control character.
std::string ProblemOfName(std::string_view name);

// Returns the text in quotes, as one line of UTF-8, for messages. A long one is cut.
std::string ShownText(std::string_view text);

// Returns the text without the white space around it.
std::string_view WithoutSpace(std::string_view text);

// Parses an address of bootstrap.json, of an `address` file or of an agent. It has a form of
// Address::Parse(), or is a bare abstract name that begins with a slash, as old shims write. White
// space around it is ignored.
ttrpc::Result<ttrpc::Address> ParseFoundAddress(std::string_view text);

}  // namespace proxyd
