// SPDX-License-Identifier: Apache-2.0
//
// What a `traceparent` of W3C's Trace Context is: VERSION-TRACE_ID-PARENT_ID-FLAGS, in lower-case
// hexadecimal digits. A peer chooses the value, so that what is none must not reach a line. Pure;
// any thread.
#pragma once

#include <string_view>

namespace proxyd {

// The four fields at the front of `value`, which a later version may have more behind; empty if
// these are not well formed.
std::string_view WellFormedTraceparent(std::string_view value);

}  // namespace proxyd
