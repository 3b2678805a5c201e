// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/request.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "ttrpc.pb.h"

namespace ttrpc {
namespace {

using namespace std::string_literals;

constexpr auto kRefuse = UnknownFieldAction::kRefuse;
constexpr auto kDrop = UnknownFieldAction::kDrop;

std::string Encode(const RequestView& request) {
  std::string out(EncodedRequestSize(request), '\0');
  EXPECT_EQ(EncodeRequest(request, out.data()), out.data() + out.size());
  return out;
}

Status Parse(std::string_view data, UnknownFieldAction action = kRefuse) {
  RequestView request;
  return ParseRequest(data, action, &request);
}

Status Malformed(const std::string& what) {
  return {StatusCode::kInvalidArgument, "unmarshal request error: " + what};
}

TEST(RequestTest, ReadsWhatProtobufWrites) {
  wire::Request message;
  message.set_service("s.v1.S");
  message.set_method("M");
  message.set_payload("p\0q"s);
  message.set_timeout_nano(-5);
  for (const auto& [key, value] : {std::pair{"k", "v"}, {"", ""}, {"k", "w"}}) {
    auto* entry = message.add_metadata();
    entry->set_key(key);
    entry->set_value(value);
  }
  const std::string bytes = message.SerializeAsString();
  RequestView request;
  ASSERT_TRUE(ParseRequest(bytes, kRefuse, &request).ok());
  EXPECT_EQ(request.service, "s.v1.S");
  EXPECT_EQ(request.method, "M");
  EXPECT_EQ(request.payload, "p\0q"s);
  EXPECT_EQ(request.timeout_nano, -5);
  EXPECT_EQ(request.metadata, (std::vector<MetadataEntry>{{"k", "v"}, {"", ""}, {"k", "w"}}));
  EXPECT_EQ(Encode(request), bytes) << "canonical, as protobuf's";
}

// The daemon distinguishes a request with an error from data that is no request at all.
TEST(RequestTest, AfterAnErrorItHasTheFieldsBeforeIt) {
  RequestView request;
  const std::string repeated = "\x0a\x01s\x12\x01M\x12\x01N";
  EXPECT_FALSE(ParseRequest(repeated, kRefuse, &request).ok());
  EXPECT_EQ(request.service, "s");
  EXPECT_EQ(request.method, "M");
  const std::string no_request = "\x0f\x0a\x01s";
  EXPECT_FALSE(ParseRequest(no_request, kRefuse, &request).ok());
  EXPECT_EQ(request.service, "") << "neither of the last request nor after the error";
  EXPECT_EQ(request.method, "");
}

TEST(RequestTest, PointsIntoTheData) {
  const std::string bytes = "\x1a\x02hi"s;
  RequestView request;
  ASSERT_TRUE(ParseRequest(bytes, kRefuse, &request).ok());
  EXPECT_EQ(request.payload.data(), bytes.data() + 2);
}

TEST(RequestTest, NoBytesAreAnEmptyRequestAndTheOtherWayRound) {
  EXPECT_TRUE(Parse("").ok());
  EXPECT_EQ(Encode({}), "");
}

TEST(RequestTest, WritesFieldsInOrderAndDefaultsNotAtAll) {
  // The fields are out of order, one has an explicit default, and one has an over-long tag.
  const std::string bytes = "\x20\x00"s + "\x92\x00\x01m"s + "\x1a\x00"s + "\x0a\x01s"s;
  RequestView request;
  ASSERT_TRUE(ParseRequest(bytes, kRefuse, &request).ok());
  EXPECT_EQ(Encode(request), "\x0a\x01s\x12\x01m"s);
}

TEST(RequestTest, RandomRequestsGoThereAndBack) {
  std::mt19937 random(20260101);  // NOLINT: the same every time
  const auto text = [&random](size_t longest) {
    std::string s(std::uniform_int_distribution<size_t>(0, longest)(random), '\0');
    for (char& c : s) c = static_cast<char>('a' + random() % 26);
    return s;
  };
  for (int i = 0; i < 2000; ++i) {
    wire::Request message;
    message.set_service(text(200));
    message.set_method(text(200));
    message.set_payload(text(20000));
    message.set_timeout_nano(static_cast<int64_t>(random()) * (i % 3 - 1));
    for (size_t n = random() % 5; n > 0; --n) {
      auto* entry = message.add_metadata();
      entry->set_key(text(300));
      entry->set_value(text(300));
    }
    const std::string bytes = message.SerializeAsString();
    RequestView request;
    ASSERT_TRUE(ParseRequest(bytes, kRefuse, &request).ok());
    ASSERT_EQ(Encode(request), bytes);
  }
}

TEST(RequestTest, ExtremeTimeouts) {
  for (const int64_t timeout :
       {std::numeric_limits<int64_t>::min(), int64_t{-1}, std::numeric_limits<int64_t>::max()}) {
    wire::Request message;
    message.set_timeout_nano(timeout);
    const std::string bytes = message.SerializeAsString();
    RequestView request;
    ASSERT_TRUE(ParseRequest(bytes, kRefuse, &request).ok());
    EXPECT_EQ(request.timeout_nano, timeout);
    EXPECT_EQ(Encode(request), bytes);
  }
}

struct MalformedCase {
  const char* name;
  std::string bytes;
  std::string what;
};

class MalformedRequest : public ::testing::TestWithParam<MalformedCase> {};

TEST_P(MalformedRequest, IsRefusedInWordsThatHoldNothingOfIt) {
  EXPECT_EQ(Parse(GetParam().bytes), Malformed(GetParam().what));
}

INSTANTIATE_TEST_SUITE_P(
    All, MalformedRequest,
    ::testing::Values(
        MalformedCase{"ServiceTwice", "\x0a\x01s\x0a\x01s"s, "service repeated"},
        MalformedCase{"EmptyServiceTwice", "\x0a\x00\x0a\x00"s, "service repeated"},
        MalformedCase{"MethodTwice", "\x12\x01m\x12\x01n"s, "method repeated"},
        MalformedCase{"PayloadTwice", "\x1a\x01p\x1a\x00"s, "payload repeated"},
        MalformedCase{"TimeoutTwice", "\x20\x01\x20\x01"s, "timeout_nano repeated"},
        MalformedCase{"KeyTwice", "\x2a\x06\x0a\x01k\x0a\x01k"s, "metadata key repeated"},
        MalformedCase{"ValueTwice", "\x2a\x06\x12\x01v\x12\x01v"s, "metadata value repeated"},
        MalformedCase{"ServiceVarint", "\x08\x01"s, "service has the wrong wire type"},
        MalformedCase{"MethodFixed32", "\x15\x01\x02\x03\x04"s, "method has the wrong wire type"},
        MalformedCase{"PayloadFixed64", "\x19\x01\x02\x03\x04\x05\x06\x07\x08"s,
                      "payload has the wrong wire type"},
        MalformedCase{"TimeoutBytes", "\x22\x01x"s, "timeout_nano has the wrong wire type"},
        MalformedCase{"MetadataVarint", "\x28\x01"s, "metadata has the wrong wire type"},
        MalformedCase{"KeyVarint", "\x2a\x02\x08\x01"s, "metadata key has the wrong wire type"},
        MalformedCase{"UnknownField", "\x32\x01x"s, "unknown field 6"},
        MalformedCase{"UnknownLargeField", "\xf8\xff\xff\xff\x0f\x00"s, "unknown field 536870911"},
        MalformedCase{"UnknownFieldOfEntry", "\x2a\x02\x18\x01"s, "unknown field 3"},
        MalformedCase{"FieldZero", "\x02\x00"s, "field number 0"},
        MalformedCase{"FieldBeyond32Bits", "\x8a\x80\x80\x80\x10\x01s"s,
                      "field number out of range"},
        MalformedCase{"Group", "\x0b\x0c"s, "group"}, MalformedCase{"EndOfGroup", "\x0c"s, "group"},
        MalformedCase{"UnknownGroup", "\x33\x34"s, "group"},
        MalformedCase{"WireType6", "\x0e"s, "invalid wire type"},
        MalformedCase{"WireType7", "\x0f"s, "invalid wire type"},
        MalformedCase{"TruncatedTag", "\x8a"s, "truncated or over-long varint"},
        MalformedCase{"TagOfElevenBytes", std::string(10, '\x8a') + "\x01"s,
                      "truncated or over-long varint"},
        MalformedCase{"NoLength", "\x0a"s, "truncated or over-long varint"},
        MalformedCase{"TagOfSixBytes", "\x8a\x80\x80\x80\x80\x00\x00"s,
                      "truncated or over-long varint"},
        MalformedCase{"LengthOfSixBytes", "\x0a\x80\x80\x80\x80\x80\x00"s,
                      "truncated or over-long varint"},
        MalformedCase{"LengthOfElevenBytes", "\x0a"s + std::string(10, '\x80') + "\x00"s,
                      "truncated or over-long varint"},
        MalformedCase{"LengthBeyondTheEnd", "\x0a\x02s"s, "truncated field"},
        MalformedCase{"LengthOf2To63", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7fs"s,
                      "truncated or over-long varint"},
        MalformedCase{"TimeoutWithoutValue", "\x20"s, "truncated or over-long varint"},
        MalformedCase{"TimeoutOfElevenBytes", "\x20"s + std::string(10, '\xff') + "\x01"s,
                      "truncated or over-long varint"},
        // Go and Rust refuse a varint of more than 64 bits. protobuf's C++ parser drops the other
        // bits.
        MalformedCase{"TimeoutOf65Bits", "\x20"s + std::string(9, '\xff') + "\x02"s,
                      "truncated or over-long varint"},
        MalformedCase{"TimeoutOf70Bits", "\x20"s + std::string(9, '\x80') + "\x7f"s,
                      "truncated or over-long varint"},
        MalformedCase{"UnknownFieldOf65Bits", "\x30"s + std::string(9, '\xff') + "\x03"s,
                      "truncated or over-long varint"},
        MalformedCase{"Fixed64CutShort", "\x31\x01\x02"s, "truncated field"},
        MalformedCase{"Fixed32CutShort", "\x35\x01"s, "truncated field"},
        MalformedCase{"EntryCutShort", "\x2a\x02\x0a\x05"s, "metadata: truncated field"},
        MalformedCase{"ServiceNotUtf8", "\x0a\x01\xff"s, "service is not valid UTF-8"},
        MalformedCase{"MethodOverlongUtf8", "\x12\x02\xc0\xaf"s, "method is not valid UTF-8"},
        MalformedCase{"KeySurrogate", "\x2a\x05\x0a\x03\xed\xa0\x80"s,
                      "metadata key is not valid UTF-8"},
        MalformedCase{"ValueCutUtf8", "\x2a\x03\x12\x01\xc3"s,
                      "metadata value is not valid UTF-8"}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(RequestTest, ATimeoutMayHaveAll64Bits) {
  const std::string nine(9, '\xff');
  RequestView request;
  ASSERT_TRUE(ParseRequest("\x20"s + nine + "\x01"s, kRefuse, &request).ok());
  EXPECT_EQ(request.timeout_nano, -1);
  // This varint is longer than needed but has no more bits.
  ASSERT_TRUE(ParseRequest("\x20\x85"s + std::string(8, '\x80') + "\x00"s, kRefuse, &request).ok());
  EXPECT_EQ(request.timeout_nano, 5);
  // The same rule applies to a field that is dropped.
  EXPECT_EQ(Parse("\x30"s + nine + "\x02"s, kDrop), Malformed("truncated or over-long varint"));
}

TEST(RequestTest, APayloadMayBeAnyBytes) { EXPECT_TRUE(Parse("\x1a\x02\xff\x00"s).ok()); }

TEST(RequestTest, DroppedUnknownFieldsAreNotWritten) {
  const std::string known = "\x0a\x01s"s + "\x2a\x06\x0a\x01k\x12\x01v"s;
  const std::string bytes = "\x0a\x01s"s + "\x32\x01x"s + "\x39zzzzzzzz"s + "\x45zzzz"s +
                            "\x48\x07"s + "\x2a\x09\x0a\x01k\x1a\x01x\x12\x01v"s;
  RequestView request;
  ASSERT_TRUE(ParseRequest(bytes, kDrop, &request).ok());
  EXPECT_EQ(Encode(request), known);
  EXPECT_EQ(Parse("\x33\x34"s, kDrop), Malformed("group")) << "groups are refused even if unknown";
  EXPECT_EQ(Parse("\x0a\x01s\x0a\x01s"s, kDrop), Malformed("service repeated"));
}

TEST(RequestTest, CutAtEveryLengthIsNeverReadBeyond) {
  wire::Request message;
  message.set_service("service");
  message.set_method("method");
  message.set_payload(std::string(200, 'p'));
  message.set_timeout_nano(1'000'000);
  auto* entry = message.add_metadata();
  entry->set_key("key");
  entry->set_value("value");
  const std::string whole = message.SerializeAsString();
  for (size_t n = 0; n < whole.size(); ++n) {
    const std::string cut =
        whole.substr(0, n);  // a copy, so that the sanitizer detects reads beyond it
    RequestView request;
    if (ParseRequest(cut, kRefuse, &request).ok()) {
      EXPECT_EQ(Encode(request), cut) << n;
    }
  }
}

TEST(RequestTest, MoreMetadataThanAnyoneSendsIsRefused) {
  std::string bytes;
  for (size_t i = 0; i < kMaxMetadataEntries; ++i) bytes += "\x2a\x00"s;
  RequestView request;
  ASSERT_TRUE(ParseRequest(bytes, kRefuse, &request).ok());
  EXPECT_EQ(request.metadata.size(), kMaxMetadataEntries);
  bytes += "\x2a\x00"s;
  EXPECT_EQ(ParseRequest(bytes, kRefuse, &request),
            Malformed("too many metadata entries, expected at most 1024"));
}

}  // namespace
}  // namespace ttrpc
