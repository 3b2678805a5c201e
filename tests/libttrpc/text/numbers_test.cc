// SPDX-License-Identifier: Apache-2.0
#include "text/numbers.h"

#include <gtest/gtest.h>

namespace text {
namespace {

using std::chrono::nanoseconds;

TEST(ParseDurationTest, ReadsWhatGoReads) {
  const auto parsed = [](const char* text) { return ParseDuration(text).value().count(); };
  EXPECT_EQ(parsed("250ms"), 250'000'000);
  EXPECT_EQ(parsed("2s"), 2'000'000'000);
  EXPECT_EQ(parsed("5m"), 300'000'000'000);
  EXPECT_EQ(parsed("1m30s"), 90'000'000'000);
  EXPECT_EQ(parsed("1.5s"), 1'500'000'000);
  EXPECT_EQ(parsed("0.25us"), 250);
  EXPECT_EQ(parsed("7ns"), 7);
  EXPECT_EQ(parsed("1.00000000000000000001s"), 1'000'000'000);
  EXPECT_EQ(parsed("8760h"), nanoseconds(std::chrono::hours(8760)).count());
}

TEST(ParseDurationTest, RefusesWhatIsNone) {
  for (const char* text : {"", "2", "s", "-2s", "+2s", "2 s", "2d", "1.s", ".5s", "2s3", "1e3s",
                           "8761h", "99999999999999999999s", "99999999999999999h"}) {
    EXPECT_EQ(ParseDuration(text).error().ToString(),
              "INVALID_ARGUMENT: not a duration; use one such as 250ms, 2s or 1m30s, at most 8760h")
        << text;
  }
  EXPECT_EQ(ParseDuration("8760h1ns").error().message(),
            "longer than 8760h; use a shorter duration");
  EXPECT_EQ(ParseDuration("0s").error().message(), "zero; use a longer duration");
}

TEST(ParseSizeTest, ReadsBytesAndUnits) {
  EXPECT_EQ(ParseSize("1", 100).value(), 1U);
  EXPECT_EQ(ParseSize("100", 100).value(), 100U);
  EXPECT_EQ(ParseSize("64KiB", 1U << 20).value(), 65536U);
  EXPECT_EQ(ParseSize("4MiB", 8U << 20).value(), 4U << 20);
}

TEST(ParseSizeTest, RefusesWhatIsNone) {
  for (const char* text : {"", "KiB", "-1", "1kb", "1.5MiB", "4 MiB"}) {
    EXPECT_EQ(ParseSize(text, 100).error().message(),
              "not a size; use a number of bytes such as 65536, 64KiB or 4MiB")
        << text;
  }
  for (const char* text : {"0", "101", "1KiB", "17592186044416MiB"}) {
    EXPECT_EQ(ParseSize(text, 100).error().message(), "out of range; use 1 to 100 bytes") << text;
  }
}

}  // namespace
}  // namespace text
