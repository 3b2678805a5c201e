// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/response.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "ttrpc.pb.h"
#include "ttrpc/metadata.h"

namespace ttrpc {
namespace {

using namespace std::string_literals;

std::string Encode(const Status& status) {
  std::string out(EncodedResponseSize(status), '\0');
  EXPECT_EQ(EncodeResponse(status, out.data()), out.data() + out.size());
  return out;
}

TEST(ResponseTest, AnOkResponseIsNoBytes) {
  EXPECT_EQ(Encode(Status()), "");
  ResponseView response;
  ASSERT_TRUE(ParseResponse("", &response).ok());
  EXPECT_EQ(response.code, StatusCode::kOk);
  EXPECT_EQ(response.payload, "");
}

TEST(ResponseTest, WritesWhatProtobufWrites) {
  for (const auto& status :
       {Status(StatusCode::kUnavailable, "draining"), Status(StatusCode::kInternal, ""),
        Status(StatusCode::kPermissionDenied, std::string(300, 'x')),
        Status(static_cast<StatusCode>(-7), "odd")}) {
    wire::Response message;
    message.mutable_status()->set_code(static_cast<int32_t>(status.code()));
    message.mutable_status()->set_message(status.message());
    EXPECT_EQ(Encode(status), message.SerializeAsString()) << status;
  }
}

TEST(ResponseTest, ReadsWhatProtobufWrites) {
  wire::Response message;
  message.mutable_status()->set_code(5);
  message.mutable_status()->set_message("gone");
  message.mutable_status()->add_details()->set_type_url("a/b");
  message.set_payload("p");
  const std::string bytes = message.SerializeAsString();
  ResponseView response;
  ASSERT_TRUE(ParseResponse(bytes, &response).ok());
  EXPECT_EQ(response.code, StatusCode::kNotFound);
  EXPECT_EQ(response.message, "gone");
  EXPECT_EQ(response.payload, "p");
}

TEST(ResponseTest, SkipsUnknownFieldsAndTakesTheLastOfRepeatedOnes) {
  const std::string bytes =
      "\x12\x01"s + "a\x18\x01"s + "\x12\x01"s + "b"s + "\x0a\x02\x08\x03"s + "\x0a\x02\x08\x04"s;
  ResponseView response;
  ASSERT_TRUE(ParseResponse(bytes, &response).ok());
  EXPECT_EQ(response.payload, "b");
  EXPECT_EQ(response.code, StatusCode::kDeadlineExceeded);
}

TEST(ResponseTest, SaysWhatIsNoProtobuf) {
  ResponseView response;
  EXPECT_EQ(ParseResponse("\x0a\x05x"s, &response),
            Status(StatusCode::kUnknown, "unmarshal response error: truncated field"));
  EXPECT_EQ(
      ParseResponse("\x0a\x01\x08"s, &response),
      Status(StatusCode::kUnknown, "unmarshal response error: truncated or over-long varint"));
}

// Most responses are read without a scan. These lengths surround the longest such response.
TEST(ResponseTest, ReadsAPayloadOfAnyLength) {
  for (const size_t size : {0, 1, 2, 126, 127, 128, 129, 300}) {
    wire::Response message;
    message.set_payload(std::string(size, 'p'));
    const std::string bytes = message.SerializeAsString();
    ResponseView response;
    response.code = StatusCode::kInternal;
    response.message = "of the response before";
    ASSERT_TRUE(ParseResponse(bytes, &response).ok()) << size;
    EXPECT_EQ(response.payload, message.payload()) << size;
    EXPECT_EQ(response.code, StatusCode::kOk) << size;
    EXPECT_EQ(response.message, "") << size;
  }
  ResponseView response;
  EXPECT_FALSE(ParseResponse("\x12\x03pp"s, &response).ok()) << "truncated";
  ASSERT_TRUE(ParseResponse("\x12\x00"s, &response).ok());
  EXPECT_EQ(response.payload, "");
}

TEST(MetadataTest, FoldsAsciiOnly) {
  EXPECT_TRUE(EqualsIgnoringCase("Ttrpc-Proxy-UID", "ttrpc-proxy-uid"));
  EXPECT_FALSE(EqualsIgnoringCase("a", "ab"));
  EXPECT_FALSE(EqualsIgnoringCase("\xc3\x84", "\xc3\xa4"));
  EXPECT_TRUE(StartsWithIgnoringCase("TTRPC-proxy-x", "ttrpc-proxy-"));
  EXPECT_FALSE(StartsWithIgnoringCase("ttrpc", "ttrpc-proxy-"));
}

TEST(ResponseTest, DetailsTravelAndComeBack) {
  const Status status(StatusCode::kNotFound, "no such thing",
                      {StatusDetail("type.googleapis.com/a.B", std::string("\0\x01", 2)),
                       StatusDetail("type.googleapis.com/c.D", "")});
  std::string bytes(EncodedResponseSize(status), '\0');
  ASSERT_EQ(EncodeResponse(status, bytes.data()), bytes.data() + bytes.size());

  wire::Response parsed;
  ASSERT_TRUE(parsed.ParseFromString(bytes));
  ASSERT_EQ(parsed.status().details_size(), 2);
  EXPECT_EQ(parsed.status().details(0).type_url(), "type.googleapis.com/a.B");
  EXPECT_EQ(parsed.status().details(0).value(), std::string("\0\x01", 2));
  EXPECT_EQ(parsed.SerializeAsString(), bytes);

  ResponseView view;
  ASSERT_TRUE(ParseResponse(bytes, &view).ok());
  EXPECT_EQ(StatusOf(view), status);
}

// Go's parser refuses a response with a string that is not UTF-8, as protobuf's C++ parser does.
TEST(ResponseTest, WritesTextAsUtf8) {
  const std::string r = "\xEF\xBF\xBD";
  const std::vector<std::pair<std::string, std::string>> texts = {
      {"caf\xe9", "caf" + r},
      {"\xff", r},
      {"a\xff\xfe"s + "b", "a" + r + r + "b"},
      {"\xc3", r},                          // cut
      {"\xe2\x82", r + r},                  // cut
      {"\xc3(", r + "("},                   // the next character stays
      {"\xc0\xaf", r + r},                  // over-long
      {"\xed\xa0\x80", r + r + r},          // a surrogate
      {"\xf4\x90\x80\x80", r + r + r + r},  // above U+10FFFF
      {"\x80\xe2\x82\xac\x80", r + "\xe2\x82\xac" + r},
      {"\0\xff"s, "\0"s + r},
      {"\xc3\xa9 \xf0\x9f\x98\x80", "\xc3\xa9 \xf0\x9f\x98\x80"}};
  for (const auto& [text, written] : texts) {
    const std::string bytes =
        Encode(Status(StatusCode::kNotFound, text, {StatusDetail("type/" + text, text)}));
    wire::Response parsed;
    ASSERT_TRUE(parsed.ParseFromString(bytes)) << text;
    EXPECT_EQ(parsed.status().code(), 5);
    EXPECT_EQ(parsed.status().message(), written);
    EXPECT_EQ(parsed.status().details(0).type_url(), "type/" + written);
    EXPECT_EQ(parsed.status().details(0).value(), text) << "bytes are not text";
  }
}

// Lengths that take one byte before the replacement and two after it.
TEST(ResponseTest, CountsTextAsItWritesIt) {
  for (const size_t size : {42, 43, 127, 128, 6000}) {
    wire::Response parsed;
    ASSERT_TRUE(
        parsed.ParseFromString(Encode(Status(StatusCode::kUnknown, std::string(size, '\xff')))));
    EXPECT_EQ(parsed.status().message().size(), 3 * size);
  }
}

TEST(ResponseTest, AReplyIsItsHeadAndThePayload) {
  for (const size_t n : {size_t{0}, size_t{1}, size_t{127}, size_t{128}, size_t{70'000}}) {
    const std::string payload(n, 'x');
    std::string bytes(EncodedReplySize(n), '\0');
    char* const place = EncodeReplyHead(n, bytes.data());
    ASSERT_EQ(place + n, bytes.data() + bytes.size());
    payload.copy(place, n);
    wire::Response parsed;
    ASSERT_TRUE(parsed.ParseFromString(bytes));
    EXPECT_FALSE(parsed.has_status());
    EXPECT_EQ(parsed.payload(), payload);
    EXPECT_EQ(parsed.SerializeAsString(), bytes);
  }
}

// A response that is read without a scan gives the same result as a scan.
TEST(ResponseTest, ReadsTheCodeAndThePayloadAsTheScanDoes) {
  const std::string failed = Encode({StatusCode::kNotFound, "gone"});
  const std::string long_payload(200, 'p');
  for (const std::string& data :
       {""s, "\x12\x00"s, "\x12\x01"s + "a"s, "\x12\x7f"s + std::string(127, 'a'),
        "\x12\x80\x01"s + std::string(128, 'a'), "\x12\xc8\x01"s + long_payload, failed,
        "\x12\x01"s + "a"s + failed, "\x12\x01"s + "a\x18\x01"s, "\x12\x02"s + "a"s,
        "\x12\x01"s + "ab"s, "\x12"s}) {
    ResponseView response;
    const Status parsed = ParseResponse(data, &response);
    std::string_view payload = "as it was";
    EXPECT_EQ(ReadResponse(data, &payload), parsed.ok() ? response.code : parsed.code());
    EXPECT_EQ(payload, response.payload);
  }
}

TEST(ResponseTest, AResponseThatCannotBeReadHasTheCodeOfTheError) {
  std::string_view payload;
  EXPECT_EQ(ReadResponse("\x12", &payload), StatusCode::kUnknown);
  EXPECT_EQ(ReadResponse("\x0a\x05x"s, &payload), StatusCode::kUnknown);
}

TEST(ResponseTest, ReadsHowACallEnded) {
  const std::string small = "\x12\x01p";
  std::string_view payload;
  EXPECT_EQ(ReadResponse("", &payload), StatusCode::kOk);
  EXPECT_EQ(ReadResponse(small, &payload), StatusCode::kOk);
  EXPECT_EQ(payload, "p");
  EXPECT_EQ(ReadResponse(Encode(Status(StatusCode::kNotFound, "gone")), &payload),
            StatusCode::kNotFound);
}

}  // namespace
}  // namespace ttrpc
