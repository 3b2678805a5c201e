// SPDX-License-Identifier: Apache-2.0
#include "http/metrics_format.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>

namespace proxyd {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(MetricsFormatTest, SamplesHaveLabelsAndANumber) {
  std::string out;
  AppendFamily("a_total", "counter", "How many.", &out);
  AppendSample("a_total", {}, uint64_t{18'446'744'073'709'551'615U}, &out);
  AppendSample("a_total", {{"listener", "front"}, {"code", "OK"}}, uint64_t{0}, &out);
  AppendSample("b", {}, 0.25, &out);
  AppendSample("b", {{"limit", "x"}}, std::numeric_limits<double>::infinity(), &out);
  EXPECT_EQ(out,
            "# HELP a_total How many.\n# TYPE a_total counter\na_total 18446744073709551615\n"
            "a_total{listener=\"front\",code=\"OK\"} 0\nb 0.25\nb{limit=\"x\"} +Inf\n");
}

// Names in a configuration can contain any character.
TEST(MetricsFormatTest, LabelValuesAreEscaped) {
  std::string out;
  AppendSample("a", {{"rule", "\"} 1\nb{c=\"\\"}}, uint64_t{2}, &out);
  EXPECT_EQ(out, "a{rule=\"\\\"} 1\\nb{c=\\\"\\\\\"} 2\n");
}

TEST(MetricsFormatTest, BucketsOfAHistogramAreSummedUp) {
  Histogram histogram;
  histogram.Add(microseconds(50));
  histogram.Add(microseconds(60));
  histogram.Add(seconds(100));
  std::string out;
  AppendHistogram("d", {{"backend", "b"}}, histogram, &out);
  EXPECT_EQ(out.find("d_bucket{backend=\"b\",le=\"5e-05\"} 1\n"
                     "d_bucket{backend=\"b\",le=\"0.0001\"} 2\n"),
            0U)
      << out;
  EXPECT_NE(out.find("d_bucket{backend=\"b\",le=\"60\"} 2\n"
                     "d_bucket{backend=\"b\",le=\"+Inf\"} 3\n"
                     "d_sum{backend=\"b\"} 100.00011\nd_count{backend=\"b\"} 3\n"),
            std::string::npos)
      << out;
}

}  // namespace
}  // namespace proxyd
