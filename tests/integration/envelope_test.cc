// SPDX-License-Identifier: Apache-2.0
//
// Envelopes that are refused, and unusual ones that are allowed. They go through the daemon, and
// the backend's record is the proof.
#include <gtest/gtest.h>

#include <ostream>

#include "harness/proxy_test.h"

namespace integration {
namespace {

constexpr uint32_t kService = 1;
constexpr uint32_t kMethod = 2;
constexpr uint32_t kPayload = 3;
constexpr uint32_t kTimeoutNano = 4;
constexpr uint32_t kMetadata = 5;

// These fields complete every envelope: without the field under test, it is an allowed call.
std::string Names() { return BytesField(kService, "test.Unary") + BytesField(kMethod, "Do"); }

std::string Entry(std::string_view fields) { return BytesField(kMetadata, fields); }

struct EnvelopeCase {
  const char* name;
  std::string envelope;
};

void PrintTo(const EnvelopeCase& envelope, std::ostream* out) { *out << envelope.name; }

std::string CaseName(const ::testing::TestParamInfo<EnvelopeCase>& info) { return info.param.name; }

class RefusedEnvelopeTest : public ProxyTest, public ::testing::WithParamInterface<EnvelopeCase> {};

TEST_P(RefusedEnvelopeTest, IsInvalidArgumentAndDoesNotReachTheBackend) {
  Start();
  RawPeer peer = Peer();
  EXPECT_THAT(peer.Exchange(RawRequest(1, GetParam().envelope)),
              IsStatus(1, StatusCode::kInvalidArgument,
                       ::testing::StartsWith("unmarshal request error: ")));
  ExpectEcho(peer, 1);  // the id is free, the connection works
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Echo(1)});
}

INSTANTIATE_TEST_SUITE_P(
    Truncated, RefusedEnvelopeTest,
    ::testing::ValuesIn(std::vector<EnvelopeCase>{
        {"Tag", Names() + "\xa0"},
        {"LengthMissing", Names() + Tag(kPayload, 2)},
        {"LengthCut", Names() + Tag(kPayload, 2) + "\x80"},
        {"Bytes", Names() + Tag(kPayload, 2) + Varint(5) + "four"},
        {"BytesMissing", Names() + Tag(kPayload, 2) + Varint(1)},
        {"LengthOfTwoGiB", Names() + Tag(kPayload, 2) + Varint(0x80000000) + "x"},
        {"LengthOfFourGiBAndOne", Names() + Tag(kPayload, 2) + Varint(0x100000001) + "x"},
        {"LengthOfAllBits", Names() + Tag(kPayload, 2) + Varint(~uint64_t{0}) + "x"},
        {"Varint", Names() + Tag(kTimeoutNano, 0) + "\xff\xff"},
        {"VarintMissing", Names() + Tag(kTimeoutNano, 0)},
        {"EntryTag", Names() + Entry("\x8a")},
        {"EntryKey", Names() + Entry(Tag(1, 2) + Varint(9) + "key")},
        {"EntryValue", Names() + Entry(BytesField(1, "key") + Tag(2, 2))},
        // The key is whole, but it reaches beyond the end of its entry.
        {"EntryReachesOut", Names() + Tag(kMetadata, 2) + Varint(2) + BytesField(1, "key")},
    }),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    Repeated, RefusedEnvelopeTest,
    ::testing::ValuesIn(std::vector<EnvelopeCase>{
        {"Service", Names() + BytesField(kService, "test.Unary")},
        {"ServiceAfterEmpty", BytesField(kService, "") + Names()},
        {"Method", Names() + BytesField(kMethod, "Do")},
        {"MethodAfterEmpty", BytesField(kMethod, "") + Names()},
        {"Payload", Names() + BytesField(kPayload, "a") + BytesField(kPayload, "b")},
        {"PayloadAfterEmpty", Names() + BytesField(kPayload, "") + BytesField(kPayload, "b")},
        {"Timeout", Names() + VarintField(kTimeoutNano, 0) + VarintField(kTimeoutNano, 0)},
        {"Key", Names() + Entry(BytesField(1, "a") + BytesField(1, "b") + BytesField(2, "v"))},
        {"KeyAfterEmpty", Names() + Entry(BytesField(1, "") + BytesField(1, "b"))},
        {"Value", Names() + Entry(BytesField(1, "a") + BytesField(2, "v") + BytesField(2, "w"))},
    }),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    WrongType, RefusedEnvelopeTest,
    ::testing::ValuesIn(std::vector<EnvelopeCase>{
        {"ServiceVarint", VarintField(kService, 1) + BytesField(kMethod, "Do")},
        {"ServiceFixed64", Names() + Fixed64Field(kService, 1)},
        {"ServiceFixed32", Names() + Fixed32Field(kService, 1)},
        {"MethodVarint", BytesField(kService, "test.Unary") + VarintField(kMethod, 1)},
        {"PayloadVarint", Names() + VarintField(kPayload, 1)},
        {"PayloadFixed32", Names() + Fixed32Field(kPayload, 1)},
        {"TimeoutBytes", Names() + BytesField(kTimeoutNano, "\x01")},
        {"TimeoutFixed64", Names() + Fixed64Field(kTimeoutNano, 1)},
        {"MetadataVarint", Names() + VarintField(kMetadata, 1)},
        {"MetadataFixed64", Names() + Fixed64Field(kMetadata, 1)},
        {"KeyVarint", Names() + Entry(VarintField(1, 1) + BytesField(2, "v"))},
        {"ValueFixed32", Names() + Entry(BytesField(1, "k") + Fixed32Field(2, 1))},
        {"TypeSix", Names() + Tag(kPayload, 6)},
        {"TypeSeven", Names() + Tag(kPayload, 7)},
        {"GroupOfAKnownField", Names() + GroupField(kPayload, BytesField(1, "x"))},
        {"GroupOfAnUnknownField", Names() + GroupField(9, BytesField(1, "x"))},
        {"EmptyGroup", Names() + GroupField(9, "")},
        {"GroupOpen", Names() + Tag(9, 3)},
        {"GroupEndAlone", Names() + Tag(9, 4)},
        {"GroupInAnEntry", Names() + Entry(BytesField(1, "k") + GroupField(3, ""))},
    }),
    CaseName);

INSTANTIATE_TEST_SUITE_P(Unknown, RefusedEnvelopeTest,
                         ::testing::ValuesIn(std::vector<EnvelopeCase>{
                             {"FieldVarint", Names() + VarintField(6, 1)},
                             {"FieldFixed64", Names() + Fixed64Field(6, 1)},
                             {"FieldBytes", Names() + BytesField(6, "x")},
                             {"FieldFixed32", Names() + Fixed32Field(6, 1)},
                             {"FieldBeforeTheOthers", BytesField(100, "x") + Names()},
                             {"LargestField", Names() + VarintField((1U << 29) - 1, 1)},
                             {"FieldOfAnEntry",
                              Names() + Entry(BytesField(1, "k") + BytesField(3, "x"))},
                             {"FieldZero", Names() + std::string("\0\0", 2)},
                             {"FieldZeroBytes", Names() + Tag(0, 2) + std::string(1, '\0')},
                         }),
                         CaseName);

INSTANTIATE_TEST_SUITE_P(
    NotUtf8, RefusedEnvelopeTest,
    ::testing::ValuesIn(std::vector<EnvelopeCase>{
        {"Service", BytesField(kService, "test\xff") + BytesField(kMethod, "Do")},
        {"Method", BytesField(kService, "test.Unary") + BytesField(kMethod, "D\xc3")},
        {"Key", Names() + Entry(BytesField(1, "\x80") + BytesField(2, "v"))},
        {"Value", Names() + Entry(BytesField(1, "k") + BytesField(2, "a\xfe"))},
        {"Overlong", Names() + Entry(BytesField(1, "k") + BytesField(2, "\xc0\xaf"))},
        {"Surrogate", Names() + Entry(BytesField(1, "k") + BytesField(2, "\xed\xa0\x80"))},
        {"AboveUnicode", Names() + Entry(BytesField(1, "k") + BytesField(2, "\xf4\x90\x80\x80"))},
    }),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    OverlongVarint, RefusedEnvelopeTest,
    ::testing::ValuesIn(std::vector<EnvelopeCase>{
        {"Timeout", Names() + Tag(kTimeoutNano, 0) + PaddedVarint(1, 11)},
        {"Length", Names() + Tag(kPayload, 2) + PaddedVarint(1, 11) + "x"},
        {"Tag", Names() + PaddedVarint(kPayload << 3 | 2, 11) + Varint(1) + "x"},
        {"EntryLength", Names() + Entry(Tag(1, 2) + PaddedVarint(1, 11) + "k")},
        {"WithoutEnd", Names() + Tag(kTimeoutNano, 0) + std::string(40, '\xff')},
    }),
    CaseName);

// The proxy forwards what it has checked: unusual but valid encodings reach the backend in
// canonical form.
class CanonicalEnvelopeTest : public ProxyTest {};

TEST_F(CanonicalEnvelopeTest, UnusualEncodingsAreWrittenAnew) {
  const Call call = {
      .payload = "p", .timeout_nano = int64_t{3600} * 1'000'000'000, .metadata = {{"k", "v"}}};
  const std::string nanos = Varint(static_cast<uint64_t>(call.timeout_nano));
  const std::vector<std::string> encodings = {
      // fields in reverse order
      MetadataField("k", "v") + Tag(kTimeoutNano, 0) + nanos + BytesField(kPayload, "p") +
          BytesField(kMethod, "Do") + BytesField(kService, "test.Unary"),
      // lengths and numbers with more bytes than needed
      Names() + Tag(kPayload, 2) + PaddedVarint(1, 5) + "p" + Tag(kTimeoutNano, 0) +
          PaddedVarint(static_cast<uint64_t>(call.timeout_nano), 10) + MetadataField("k", "v"),
      // value before key
      Names() + BytesField(kPayload, "p") + Tag(kTimeoutNano, 0) + nanos +
          Entry(BytesField(2, "v") + BytesField(1, "k")),
  };
  Start();
  RawPeer peer = Peer();
  std::vector<WireMessage> reached;
  for (const std::string& encoding : encodings) {
    EXPECT_EQ(peer.Exchange(RawRequest(1, encoding)), Response(1, "p"));
    reached.push_back(Request(static_cast<uint32_t>(2 * reached.size() + 1), call));
  }
  EXPECT_EQ(backend_->WaitForMessages(0, reached.size()), reached);
}

TEST_F(CanonicalEnvelopeTest, ExplicitDefaultsAreLeftOut) {
  Start();
  RawPeer peer = Peer();
  EXPECT_EQ(peer.Exchange(RawRequest(1, Names() + BytesField(kPayload, "") +
                                            VarintField(kTimeoutNano, 0) +
                                            Entry(BytesField(1, "") + BytesField(2, "")))),
            Response(1, ""));
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{RawRequest(1, Names() + Entry(""))});
}

TEST_F(CanonicalEnvelopeTest, PayloadMayHoldAnyBytes) {
  Start();
  RawPeer peer = Peer();
  std::string payload;
  for (int byte = 0; byte < 256; ++byte) payload += static_cast<char>(byte);
  EXPECT_EQ(peer.Exchange(Request(1, {.payload = payload})), Response(1, payload));
}

TEST_F(CanonicalEnvelopeTest, UnknownFieldsAreDroppedWhereTheListenerSaysSo) {
  Start({.listener = "unknown_fields = \"drop\"\n"});
  RawPeer peer = Peer();
  EXPECT_EQ(peer.Exchange(RawRequest(
                1, VarintField(99, 1) + Names() + Fixed64Field(6, 1) + Fixed32Field(7, 1) +
                       Entry(BytesField(1, "k") + BytesField(3, "x") + BytesField(2, "v")) +
                       BytesField(8, "x"))),
            Response(1, ""));
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Request(1, {.metadata = {{"k", "v"}}})});
  EXPECT_THAT(peer.Exchange(RawRequest(3, Names() + GroupField(9, ""))),
              IsStatus(3, StatusCode::kInvalidArgument,
                       ::testing::StartsWith("unmarshal request error: ")));
}

}  // namespace
}  // namespace integration
