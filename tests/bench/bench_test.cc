// SPDX-License-Identifier: Apache-2.0
//
// Tests parts of the benchmark whose mistakes would not show in a table.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "histogram.h"
#include "ttrpc/wire/message.h"
#include "wire.h"

namespace bench {
namespace {

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t i = 0; i < 100; ++i) histogram.Add(i);
  EXPECT_EQ(histogram.total(), 100U);
  EXPECT_EQ(histogram.Quantile(0.5), 50);
  EXPECT_EQ(histogram.Quantile(0.99), 99);
}

TEST(HistogramTest, LargeValuesAreOffByLessThanHalfAPercent) {
  for (uint64_t value = 200; value < uint64_t{1} << 40; value = value * 5 / 3 + 1) {
    Histogram histogram;
    histogram.Add(value);
    EXPECT_NEAR(histogram.Quantile(0.5), static_cast<double>(value),
                static_cast<double>(value) * 0.004);
  }
}

TEST(HistogramTest, AQuantileIsNotMovedByWhatLiesAboveIt) {
  Histogram histogram;
  for (int i = 0; i < 990; ++i) histogram.Add(1000);
  for (int i = 0; i < 10; ++i) histogram.Add(uint64_t{1} << 50);
  EXPECT_NEAR(histogram.Quantile(0.98), 1000, 4);
  EXPECT_GT(histogram.Quantile(0.99), 1e15);
  EXPECT_EQ(histogram.max(), uint64_t{1} << 50);
}

class PayloadPatternTest : public testing::TestWithParam<size_t> {};

TEST_P(PayloadPatternTest, HasItsSizeAndIsAProtobufMessage) {
  const PayloadPattern pattern(GetParam());
  std::string payload;
  pattern.AppendTo(payload, 77);
  EXPECT_EQ(payload.size(), pattern.encoded_size());
  FieldReader reader(payload);
  Field field;
  ASSERT_TRUE(reader.Next(field));
  EXPECT_EQ(field.number, 1U);
  EXPECT_EQ(field.bytes.size(), GetParam());
  EXPECT_TRUE(pattern.MatchesData(field.bytes, 77));
  EXPECT_FALSE(reader.Next(field));
  EXPECT_TRUE(reader.ok());
}

// The shortest form is what a server sends back after decoding and encoding the message.
TEST_P(PayloadPatternTest, HasTheShortestForm) {
  const PayloadPattern pattern(GetParam());
  std::string payload;
  pattern.AppendTo(payload, 77);
  size_t length_bytes = 1;
  for (size_t rest = GetParam(); rest >= 0x80; rest >>= 7) ++length_bytes;
  EXPECT_EQ(payload.size(), 1 + length_bytes + GetParam());
}

TEST_P(PayloadPatternTest, MatchesItsOwnCounterOnly) {
  const PayloadPattern pattern(GetParam());
  std::string payload;
  pattern.AppendTo(payload, 77);
  EXPECT_TRUE(pattern.Matches(payload, 77));
  EXPECT_FALSE(pattern.Matches(payload, 78));
  EXPECT_FALSE(pattern.Matches(payload + '\0', 77));
  EXPECT_FALSE(pattern.Matches(std::string_view(payload).substr(1), 77));
}

TEST_P(PayloadPatternTest, AnyChangedByteIsSeen) {
  const PayloadPattern pattern(GetParam());
  std::string payload;
  pattern.AppendTo(payload, 77);
  const size_t step = GetParam() > 1000 ? 997 : 1;
  for (size_t i = 0; i < payload.size(); i += step) {
    payload[i] = static_cast<char>(payload[i] ^ 1);
    EXPECT_FALSE(pattern.Matches(payload, 77)) << i;
    payload[i] = static_cast<char>(payload[i] ^ 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, PayloadPatternTest,
                         testing::Values(PayloadPattern::kMinSize, 64, 127, 128, 65536,
                                         kMaxPayloadSize));

TEST(WireTest, ARequestReadsBackAndItsHeaderTellsItsLength) {
  const PayloadPattern pattern(kMaxPayloadSize);
  std::string bytes;
  AppendRequest(bytes, 5, kMethod, 1, pattern);
  const ttrpc::MessageHeader header = ttrpc::DecodeMessageHeader(bytes.data());
  EXPECT_EQ(header.stream_id, 5U);
  EXPECT_LE(header.length, ttrpc::kDefaultMessageSize);
  ASSERT_EQ(bytes.size(), ttrpc::kMessageHeaderLength + header.length);
  Request request;
  ASSERT_TRUE(ParseRequest(std::string_view(bytes).substr(ttrpc::kMessageHeaderLength), request));
  EXPECT_EQ(request.service, kService);
  EXPECT_EQ(request.method, kMethod);
  EXPECT_TRUE(pattern.Matches(request.payload, 1));
}

TEST(WireTest, ATaskRequestReadsBackAndNamesItsTask) {
  const PayloadPattern pattern(64);
  const TaskTarget target = {.id = "web", .name_space = "k8s.io"};
  const std::string prefix = TaskPrefix(target, pattern);
  std::string bytes;
  AppendTaskRequest(
      bytes, {.stream_id = 5, .prefix = prefix, .name_space = target.name_space, .counter = 1},
      pattern);
  const ttrpc::MessageHeader header = ttrpc::DecodeMessageHeader(bytes.data());
  ASSERT_EQ(bytes.size(), ttrpc::kMessageHeaderLength + header.length);
  Request request;
  ASSERT_TRUE(ParseRequest(std::string_view(bytes).substr(ttrpc::kMessageHeaderLength), request));
  EXPECT_EQ(request.service, kTaskService);
  EXPECT_EQ(request.method, kTaskMethod);
  FieldReader reader(request.payload);
  Field field;
  ASSERT_TRUE(reader.Next(field));
  EXPECT_EQ(field.number, 1U);
  EXPECT_EQ(field.bytes, "web");
  ASSERT_TRUE(reader.Next(field));
  EXPECT_EQ(field.number, 2U);
  EXPECT_TRUE(pattern.Matches(field.bytes, 1));
  EXPECT_FALSE(reader.Next(field));
  EXPECT_TRUE(reader.ok());
}

TEST(WireTest, AStatusIsFoundInAReply) {
  std::string bytes;
  AppendUnimplemented(bytes, 7);
  Reply reply;
  ASSERT_TRUE(ParseReply(std::string_view(bytes).substr(ttrpc::kMessageHeaderLength), reply));
  EXPECT_EQ(reply.code, 12U);
}

TEST(WireTest, ATruncatedFieldDoesNotParse) {
  Reply reply;
  EXPECT_FALSE(ParseReply(std::string_view("\x12\x05"
                                           "abc",
                                           5),
                          reply));
  EXPECT_FALSE(ParseReply(std::string_view("\x12", 1), reply));
  EXPECT_FALSE(ParseReply(std::string_view("\x80", 1), reply));
}

}  // namespace
}  // namespace bench
