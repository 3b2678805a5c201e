// SPDX-License-Identifier: Apache-2.0
#include "observe/sliced_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace proxyd {
namespace {

TEST(SlicedTextTest, IsMadeInSlicesThatAreNoLongerThanTheyMayBe) {
  constexpr size_t kEntry = 100;
  std::map<int, char> entries;
  for (int i = 0; i < 1000; ++i) entries[i] = static_cast<char>('a' + i % 26);
  SlicedText text;
  text.AddText("head ");
  text.AddEach(entries,
               [](const auto& entry, std::string* out) { out->append(kEntry, entry.second); });
  text.AddEachOf(std::vector<std::string>{" and", " more"},
                 [](const std::string& element, std::string* out) { out->append(element); });
  std::string expected = "head ";
  for (const auto& [key, letter] : entries) expected.append(kEntry, letter);
  expected += " and more";

  std::string made;
  size_t slices = 0;
  for (bool more = true; more; ++slices) {
    const size_t before = made.size();
    more = text.AppendSlice(&made);
    EXPECT_LT(made.size() - before, SlicedText::kSliceBytes + kEntry);
  }
  EXPECT_EQ(made, expected);
  EXPECT_EQ(slices, expected.size() / SlicedText::kSliceBytes + 1);
}

// Elements that are added between two slices may be in the text or not.
TEST(SlicedTextTest, AMapMayGrowMeanwhile) {
  std::map<int, int> entries;
  for (int i = 0; i < 100; ++i) entries[2 * i] = 0;
  SlicedText text;
  text.AddEach(entries, [](const auto& entry, std::string* out) {
    out->append(SlicedText::kSliceBytes, 'x').append(std::to_string(entry.first)).append(" ");
  });
  std::string made;
  for (int i = 0; text.AppendSlice(&made); ++i) entries[2 * i + 1] = 0;
  for (int i = 0; i < 100; ++i)
    EXPECT_NE(made.find("x" + std::to_string(2 * i) + " "), std::string::npos) << i;
}

TEST(SlicedTextTest, AddFirstOfWritesTheFirstInOrderAndThenTheRest) {
  for (const size_t shown : {size_t{0}, size_t{2}, size_t{4}, size_t{9}}) {
    SlicedText text;
    text.AddFirstOf(
        [] {
          return std::vector<int>{3, 1, 4, 2};
        },
        shown, std::less<>(),
        [](int element, std::string* out) { *out += std::to_string(element); },
        [](const std::vector<int>& others, size_t total, std::string* out) {
          for (const int other : others) EXPECT_GT(other, 4 - std::ssize(others));
          *out += " and " + std::to_string(others.size()) + " of " + std::to_string(total);
        });
    std::string made;
    EXPECT_FALSE(text.AppendSlice(&made));
    const size_t first = std::min(shown, size_t{4});
    EXPECT_EQ(made,
              std::string("1234").substr(0, first) + " and " + std::to_string(4 - first) + " of 4");
  }
}

// A slice that sorted all elements would take too long.
TEST(SlicedTextTest, AddFirstOfSortsSliceBySlice) {
  constexpr size_t kCount = 10'000;
  constexpr size_t kEntry = 100;
  size_t compared = 0;
  SlicedText text;
  text.AddFirstOf(
      [] {
        std::vector<size_t> numbers;
        for (size_t i = 0; i < kCount; ++i) numbers.push_back(i * 7919 % kCount);
        return numbers;
      },
      kCount,
      [&compared](size_t a, size_t b) {
        ++compared;
        return a < b;
      },
      [](size_t number, std::string* out) {
        const std::string digits = std::to_string(number);
        out->append(kEntry - digits.size(), ' ').append(digits);
      },
      [](const std::vector<size_t>&, size_t, std::string*) {});
  std::string made;
  for (bool more = true; more;) {
    const size_t before = made.size();
    compared = 0;
    more = text.AppendSlice(&made);
    EXPECT_LT(made.size() - before, SlicedText::kSliceBytes + kEntry);
    EXPECT_LT(compared, before == 0 ? 3 * kCount : kCount);
  }
  ASSERT_EQ(made.size(), kCount * kEntry);
  for (size_t i = 0; i < kCount; ++i) EXPECT_EQ(std::stoul(made.substr(i * kEntry, kEntry)), i);
}

TEST(SlicedTextTest, OfNothingThereIsOneSlice) {
  SlicedText text;
  text.AddEachOf(std::vector<int>{}, [](int, std::string*) { FAIL(); });
  std::string made;
  EXPECT_FALSE(text.AppendSlice(&made));
  EXPECT_EQ(made, "");
}

}  // namespace
}  // namespace proxyd
