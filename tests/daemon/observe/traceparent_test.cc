// SPDX-License-Identifier: Apache-2.0
#include "observe/traceparent.h"

#include <gtest/gtest.h>

#include <string>

namespace proxyd {
namespace {

const std::string kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string With(size_t position, char c) {
  std::string value = kGood;
  value[position] = c;
  return value;
}

TEST(TraceparentTest, AWellFormedOneIsItself) {
  EXPECT_EQ(WellFormedTraceparent(kGood), kGood);
  EXPECT_EQ(WellFormedTraceparent(With(54, 'f')), With(54, 'f')) << "flags this version lacks";
}

TEST(TraceparentTest, NothingElseThanLowerHexAndDashesInTheirPlaces) {
  for (size_t i = 0; i < kGood.size(); ++i) {
    const bool dash = kGood[i] == '-';
    for (int c = -128; c < 128; ++c) {
      const auto byte = static_cast<char>(c);
      const bool hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
      if (dash ? byte == '-' : hex) continue;
      EXPECT_EQ(WellFormedTraceparent(With(i, byte)), "") << i << " " << c;
    }
  }
  for (size_t length = 0; length < kGood.size(); ++length) {
    EXPECT_EQ(WellFormedTraceparent(kGood.substr(0, length)), "");
  }
}

TEST(TraceparentTest, IdsOfZerosAndVersionFfAreInvalid) {
  const std::string zeros(32, '0');
  EXPECT_EQ(WellFormedTraceparent("00-" + zeros + kGood.substr(35)), "");
  EXPECT_EQ(WellFormedTraceparent(kGood.substr(0, 36) + zeros.substr(16) + "-01"), "");
  EXPECT_EQ(WellFormedTraceparent("ff" + kGood.substr(2)), "");
  EXPECT_EQ(WellFormedTraceparent("fe" + kGood.substr(2)), "fe" + kGood.substr(2));
}

// A later version may add fields, whose meaning is unknown.
TEST(TraceparentTest, WhatALaterVersionAddsIsLeftOut) {
  const std::string later = "cc" + kGood.substr(2);
  EXPECT_EQ(WellFormedTraceparent(later + "-what the\x01 future holds"), later);
  EXPECT_EQ(WellFormedTraceparent(later + "."), "");
  EXPECT_EQ(WellFormedTraceparent(kGood + "-01"), "") << "version 00 has none";
}

}  // namespace
}  // namespace proxyd
