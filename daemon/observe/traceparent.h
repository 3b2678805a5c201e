// SPDX-License-Identifier: Apache-2.0
//
// The `traceparent` of W3C's Trace Context: VERSION-TRACE_ID-PARENT_ID-FLAGS, in lower-case
// hexadecimal digits. A peer chooses the value, so a malformed one must not reach an audit line.
#pragma once

#include <string_view>

namespace proxyd {

// Returns the four fields at the front of `value`, or "" if they are not well formed. A later
// version may have more after them. The function is pure.
std::string_view WellFormedTraceparent(std::string_view value);

}  // namespace proxyd
