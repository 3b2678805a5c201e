// SPDX-License-Identifier: Apache-2.0
#include "text/closest.h"

#include <algorithm>
#include <cstddef>

#include "text/escape.h"

namespace text {
namespace {

// Longer words are not compared, because the table grows with the square of their length.
constexpr size_t kMostLetters = 64;

// Returns the restricted Damerau-Levenshtein distance of two words: the number of changes that lead
// from one to the other.
size_t Changes(std::string_view from, std::string_view to) {
  // changes[i][j] is the distance of the first i letters of `from` and the first j letters of `to`.
  std::vector<std::vector<size_t>> changes(from.size() + 1, std::vector<size_t>(to.size() + 1));
  for (size_t i = 0; i <= from.size(); ++i) changes[i][0] = i;
  for (size_t j = 0; j <= to.size(); ++j) changes[0][j] = j;
  for (size_t i = 1; i <= from.size(); ++i) {
    for (size_t j = 1; j <= to.size(); ++j) {
      const size_t replaced = changes[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      changes[i][j] = std::min({changes[i - 1][j] + 1, changes[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        changes[i][j] = std::min(changes[i][j], changes[i - 2][j - 2] + 1);
    }
  }
  return changes[from.size()][to.size()];
}

}  // namespace

std::string Closest(std::string_view typed, const std::vector<std::string>& words) {
  std::string closest;
  // A third of the letters may be wrong; in a short word, one letter.
  size_t most = std::max<size_t>(1, typed.size() / 3);
  if (typed.size() > kMostLetters) return closest;
  for (const std::string& word : words) {
    if (word.size() > kMostLetters) continue;
    const size_t changes = Changes(typed, word);
    // The first of several words at the same distance wins.
    if (changes > most || (changes == most && !closest.empty())) continue;
    most = changes;
    closest = word;
  }
  return closest;
}

std::string DidYouMean(std::string_view typed, const std::vector<std::string>& words,
                       const std::string& otherwise) {
  const std::string closest = Closest(typed, words);
  return closest.empty() ? otherwise : "did you mean " + Quote(closest) + "?";
}

}  // namespace text
