// SPDX-License-Identifier: Apache-2.0
//
// Tests how durations and sizes are read and printed.
#include "config/quantity.h"

#include <gtest/gtest.h>

#include <limits>

namespace proxyd {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kDurationExpected =
    "use a whole number with a unit (us, ms, s, m, h), or \"0\"";

std::string DurationError(std::string_view text) {
  const auto duration = ParseDuration(text);
  return duration ? "none" : duration.error().message();
}

TEST(DurationTest, ReadsEachUnit) {
  EXPECT_EQ(ParseDuration("7us").value(), microseconds(7));
  EXPECT_EQ(ParseDuration("250ms").value(), milliseconds(250));
  EXPECT_EQ(ParseDuration("2s").value(), seconds(2));
  EXPECT_EQ(ParseDuration("5m").value(), minutes(5));
  EXPECT_EQ(ParseDuration("3h").value(), hours(3));
}

TEST(DurationTest, ZeroNeedsNoUnit) {
  EXPECT_EQ(ParseDuration("0").value(), Duration{0});
  EXPECT_EQ(ParseDuration("0s").value(), Duration{0});
}

TEST(DurationTest, RefusesWhatIsNoWholeNumberWithAUnit) {
  for (const char* text : {"", "s", "5", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1m30s", "1S",
                           "1sec", "1d", "0x1s", "1,5s", "00"}) {
    EXPECT_EQ(DurationError(text), kDurationExpected) << text;
  }
  EXPECT_EQ(DurationError(std::string_view("1s\0", 3)), kDurationExpected);
}

TEST(DurationTest, AYearIsTheLongest) {
  EXPECT_EQ(ParseDuration("8760h").value(), hours(8760));
  EXPECT_EQ(ParseDuration("31536000000000us").value(), hours(8760));
  for (const char* text :
       {"8761h", "525601m", "31536000000001us", "18446744073709551615us", "18446744073709551616us",
        "18446744073709551615h", "99999999999999999999999999999h"}) {
    EXPECT_EQ(DurationError(text), "use at most \"8760h\"") << text;
  }
}

TEST(DurationTest, PrintsTheLargestUnitWithoutAFraction) {
  EXPECT_EQ(FormatDuration(Duration{0}), "0");
  EXPECT_EQ(FormatDuration(microseconds(1)), "1us");
  EXPECT_EQ(FormatDuration(milliseconds(1500)), "1500ms");
  EXPECT_EQ(FormatDuration(seconds(60)), "1m");
  EXPECT_EQ(FormatDuration(minutes(90)), "90m");
  EXPECT_EQ(FormatDuration(kMaxDuration), "8760h");
}

TEST(DurationTest, ReadsBackWhatItPrints) {
  for (const Duration duration : {Duration{0}, Duration{microseconds(1)}, Duration{seconds(61)},
                                  Duration{hours(24)}, kMaxDuration - microseconds(1)}) {
    EXPECT_EQ(ParseDuration(FormatDuration(duration)).value(), duration);
  }
}

TEST(SizeTest, ReadsEachUnit) {
  EXPECT_EQ(ParseSize("0").value(), 0U);
  EXPECT_EQ(ParseSize("1000").value(), 1000U);
  EXPECT_EQ(ParseSize("64KiB").value(), 65536U);
  EXPECT_EQ(ParseSize("4MiB").value(), 4194304U);
  EXPECT_EQ(ParseSize("3GiB").value(), 3221225472U);
}

TEST(SizeTest, RefusesWhatIsNoWholeNumberWithAUnit) {
  for (const char* text :
       {"", "KiB", "-1", "+1", "1.5MiB", "4 MiB", "4KB", "4kib", "4K", "4B", "4TiB", "0x10"}) {
    const auto size = ParseSize(text);
    ASSERT_FALSE(size.has_value()) << text;
    EXPECT_EQ(size.error().message(),
              "use a whole number of bytes, KiB, MiB or GiB, such as \"64KiB\"");
  }
}

TEST(SizeTest, DoesNotWrapAround) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(ParseSize("18446744073709551615").value(), kMax);
  EXPECT_EQ(ParseSize("18446744073709551616").value(), kMax);
  EXPECT_EQ(ParseSize("17179869183GiB").value(), uint64_t{17179869183} << 30);
  EXPECT_EQ(ParseSize("17179869184GiB").value(), kMax);  // 2^64
  EXPECT_EQ(ParseSize("99999999999999999999999KiB").value(), kMax);
}

TEST(SizeTest, ReadsBackWhatItPrints) {
  EXPECT_EQ(FormatSize(0), "0");
  EXPECT_EQ(FormatSize(16777215), "16777215");
  EXPECT_EQ(FormatSize(4U << 20), "4MiB");
  EXPECT_EQ(FormatSize(1536), "1536");
  EXPECT_EQ(FormatSize(3U << 10), "3KiB");
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{1024}, uint64_t{1} << 40}) {
    EXPECT_EQ(ParseSize(FormatSize(size)).value(), size);
  }
}

}  // namespace
}  // namespace proxyd
