// SPDX-License-Identifier: Apache-2.0
#include "text/nearest.h"

#include <algorithm>
#include <cstddef>

#include "text/escape.h"

namespace text {

namespace {

constexpr size_t kMostSlips = 2;
constexpr size_t kLongestWord = 64;  // the cost is the product of the lengths

// Letters to add, remove, replace, or exchange with their neighbour.
size_t Slips(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> slips(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) slips[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) slips[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = slips[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      slips[i][j] = std::min({slips[i - 1][j] + 1, slips[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        slips[i][j] = std::min(slips[i][j], slips[i - 2][j - 2] + 1);
    }
  }
  return slips[a.size()][b.size()];
}

}  // namespace

std::string Nearest(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > kLongestWord) return {};
  std::string nearest;
  size_t least = kMostSlips + 1;
  for (const std::string& candidate : known) {
    if (candidate.size() > kLongestWord) continue;
    const size_t slips = Slips(word, candidate);
    // All letters wrong is no slip.
    if (slips > least || slips >= candidate.size()) continue;
    nearest = slips == least ? std::string() : candidate;
    least = slips;
  }
  return nearest;
}

std::string UnknownCommand(std::string_view word, const std::vector<std::string>& known) {
  std::string message = "unknown command " + QuoteShort(word);
  if (const std::string nearest = Nearest(word, known); !nearest.empty())
    return message.append("; did you mean ").append(Quote(nearest)).append("?");
  message += ", expected ";
  for (size_t i = 0; i < known.size(); ++i) {
    if (i > 0) message += i + 1 == known.size() ? " or " : ", ";
    message += known[i];
  }
  return message;
}

}  // namespace text
