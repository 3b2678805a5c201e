// SPDX-License-Identifier: Apache-2.0
#include "observe/sliced_text.h"

#include <gtest/gtest.h>

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

TEST(SlicedTextTest, OfNothingThereIsOneSlice) {
  SlicedText text;
  text.AddEachOf(std::vector<int>{}, [](int, std::string*) { FAIL(); });
  std::string made;
  EXPECT_FALSE(text.AppendSlice(&made));
  EXPECT_EQ(made, "");
}

}  // namespace
}  // namespace proxyd
