// SPDX-License-Identifier: Apache-2.0
//
// The word that somebody who mistyped one probably meant. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace text {

// Which of `words` is the fewest changes away from `typed`: letters that are missing, superfluous,
// wrong, or exchanged with the next one. Empty: none is near, so that a suggestion would not help.
std::string Closest(std::string_view typed, const std::vector<std::string>& words);

}  // namespace text
