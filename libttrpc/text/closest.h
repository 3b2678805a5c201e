// SPDX-License-Identifier: Apache-2.0
//
// Suggestions for mistyped words. Pure functions; any thread may call them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace text {

// Returns the word that is the fewest changes away from `typed`. A change is a missing, superfluous
// or wrong letter, or two neighbours that are exchanged. Returns an empty string if no word is
// close enough to be a useful suggestion.
std::string Closest(std::string_view typed, const std::vector<std::string>& words);

// Returns `did you mean "WORD"?` with the closest of `words`, or `otherwise` if none is close. For
// the second half of a message about an unknown name.
std::string DidYouMean(std::string_view typed, const std::vector<std::string>& words,
                       const std::string& otherwise);

}  // namespace text
