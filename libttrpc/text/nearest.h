// SPDX-License-Identifier: Apache-2.0
//
// What somebody who mistyped a word may have meant. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace text {

// The one of `known` that differs from `word` by at most two letters that are missing, superfluous,
// wrong or exchanged, and by fewer than the others; empty if there is none.
std::string Nearest(std::string_view word, const std::vector<std::string>& known);

// `unknown command "staus"; did you mean "status"?`, or, where nothing is near, what is known.
std::string UnknownCommand(std::string_view word, const std::vector<std::string>& known);

}  // namespace text
