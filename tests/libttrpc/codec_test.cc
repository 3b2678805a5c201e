// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/codec.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "support/wire.h"

namespace ttrpc {
namespace {

using Event = MessageDecoder::Event;

using ::test::Message;

struct Seen {
  Event event;
  uint32_t stream_id;
  MessageType type;
  uint8_t flags;
  std::string data;
  friend bool operator==(const Seen&, const Seen&) = default;
};

// Returns all events that the decoder reports for the input. It must consume the input unless the
// input is malformed.
std::vector<Seen> Drain(MessageDecoder& decoder, std::string_view input) {
  std::vector<Seen> seen;
  while (true) {
    const MessageDecoder::Decoded d = decoder.Next(&input);
    if (d.event == Event::kNeedMore) break;
    seen.push_back(
        {d.event, d.header.stream_id, d.header.type, d.header.flags, std::string(d.data)});
    if (d.event == Event::kMalformed) return seen;
  }
  EXPECT_TRUE(input.empty());
  return seen;
}

TEST(MessageHeaderTest, IsTenBytesBigEndian) {
  char bytes[kMessageHeaderLength];
  EncodeMessageHeader(
      {.length = 0x010203, .stream_id = 0x0a0b0c0d, .type = MessageType::kData, .flags = 5}, bytes);
  EXPECT_EQ(std::string(bytes, sizeof bytes),
            std::string("\x00\x01\x02\x03\x0a\x0b\x0c\x0d\x03\x05", 10));
  EXPECT_EQ(
      DecodeMessageHeader(bytes),
      (MessageHeader{
          .length = 0x010203, .stream_id = 0x0a0b0c0d, .type = MessageType::kData, .flags = 5}));
}

TEST(MessageHeaderTest, KeepsEveryBitOfUnknownTypesAndFlags) {
  const std::string bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10);
  const MessageHeader header = DecodeMessageHeader(bytes.data());
  EXPECT_EQ(header.length, 0xffffffffU);
  EXPECT_EQ(static_cast<int>(header.type), 255);
  std::string again(10, '\0');
  EncodeMessageHeader(header, again.data());
  EXPECT_EQ(again, bytes);
}

class Streams : public ::testing::Test {
 protected:
  const std::string bytes_ =
      Message({.stream_id = 1, .type = MessageType::kRequest, .flags = 2}, "hello") +
      Message({.stream_id = 3, .type = MessageType::kData, .flags = 0}, "") +
      Message({.stream_id = 5, .type = MessageType::kRequest, .flags = 0}, "0123456789abc") +
      Message({.stream_id = 7, .type = MessageType::kResponse, .flags = 1}, "x");
  const std::vector<Seen> expected_ = {
      {Event::kMessage, 1, MessageType::kRequest, 2, "hello"},
      {Event::kMessage, 3, MessageType::kData, 0, ""},
      {Event::kOversized, 5, MessageType::kRequest, 0, ""},
      {Event::kMessage, 7, MessageType::kResponse, 1, "x"},
  };
};

TEST_F(Streams, SplitAtEveryPairOfOffsetsGiveTheSameMessages) {
  for (size_t i = 0; i <= bytes_.size(); ++i) {
    for (size_t j = i; j <= bytes_.size(); ++j) {
      MessageDecoder decoder(12);
      std::vector<Seen> seen;
      for (const auto& [from, to] :
           {std::pair{size_t{0}, i}, std::pair{i, j}, std::pair{j, bytes_.size()}}) {
        for (Seen& s : Drain(decoder, std::string_view(bytes_).substr(from, to - from)))
          seen.push_back(std::move(s));
      }
      ASSERT_EQ(seen, expected_) << i << " " << j;
    }
  }
}

TEST_F(Streams, CutAtEveryLengthGiveOnlyWholeMessages) {
  for (size_t n = 0; n <= bytes_.size(); ++n) {
    MessageDecoder decoder(12);
    const std::vector<Seen> seen = Drain(decoder, std::string_view(bytes_).substr(0, n));
    ASSERT_LE(seen.size(), expected_.size());
    for (size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], expected_[i]) << n;
    ASSERT_EQ(seen.size() == expected_.size(), n == bytes_.size()) << n;
  }
}

TEST(MessageDecoderTest, GivesWholeMessagesInPlace) {
  MessageDecoder decoder(kDefaultMessageSize);
  const std::string bytes = Message({.stream_id = 1}, "in place");
  std::string_view input = bytes;
  EXPECT_EQ(decoder.Next(&input).data.data(), bytes.data() + kMessageHeaderLength);
}

TEST(MessageDecoderTest, TheRestMayBeReceivedIntoItsTail) {
  std::string data;
  for (int i = 0; i < 300'000; ++i) data.push_back(static_cast<char>(i * 31));
  const std::string bytes = Message({.stream_id = 9, .type = MessageType::kData}, data);
  MessageDecoder decoder(kDefaultMessageSize);
  EXPECT_TRUE(decoder.Tail().empty());
  EXPECT_TRUE(Drain(decoder, std::string_view(bytes).substr(0, 20)).empty());
  size_t at = 20;
  size_t rounds = 0;
  while (at < bytes.size()) {
    const std::span<char> tail = decoder.Tail();
    ASSERT_FALSE(tail.empty());
    ASSERT_LE(tail.size(), bytes.size() - at) << "a tail never reaches into the next message";
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), tail.size(), tail.begin());
    decoder.Commit(tail.size());
    at += tail.size();
    ++rounds;
    if (at < bytes.size()) {
      ASSERT_TRUE(Drain(decoder, {}).empty());
    }
  }
  EXPECT_GT(rounds, 1U) << "the buffer grows with received bytes, not with the length";
  EXPECT_EQ(Drain(decoder, {}),
            (std::vector<Seen>{{Event::kMessage, 9, MessageType::kData, 0, data}}));
  EXPECT_TRUE(decoder.Tail().empty());
}

TEST(MessageDecoderTest, NoTailWhileDiscarding) {
  MessageDecoder decoder(4);
  const std::string bytes = Message({.stream_id = 1}, "12345678");
  EXPECT_TRUE(Drain(decoder, std::string_view(bytes).substr(0, 12)).empty());
  EXPECT_TRUE(decoder.Tail().empty());
  EXPECT_EQ(Drain(decoder, std::string_view(bytes).substr(12)).at(0).event, Event::kOversized);
}

TEST(MessageDecoderTest, TakesExactlyTheLimitAndNoMore) {
  MessageDecoder decoder(kDefaultMessageSize);
  const std::string exact(kDefaultMessageSize, 'x');
  EXPECT_EQ(Drain(decoder, Message({.stream_id = 1}, exact)).at(0).data, exact);
  EXPECT_EQ(Drain(decoder, Message({.stream_id = 3}, exact + "y")).at(0).event, Event::kOversized);
  EXPECT_EQ(Drain(decoder, Message({.stream_id = 5}, "z")).at(0).data, "z")
      << "the decoder stays in step";
}

// A message that began under one limit is judged by that limit, however it is split.
TEST(MessageDecoderTest, AnotherLimitCountsFromTheNextHeader) {
  const std::string bytes = Message({.stream_id = 1, .type = MessageType::kData}, "12345");
  for (size_t cut = kMessageHeaderLength; cut < bytes.size(); ++cut) {
    MessageDecoder taking(5);
    EXPECT_TRUE(Drain(taking, bytes.substr(0, cut)).empty());
    taking.SetMessageSize(4);
    EXPECT_EQ(Drain(taking, bytes.substr(cut) + bytes),
              (std::vector<Seen>{{Event::kMessage, 1, MessageType::kData, 0, "12345"},
                                 {Event::kOversized, 1, MessageType::kData, 0, ""}}));
    MessageDecoder discarding(4);
    EXPECT_TRUE(Drain(discarding, bytes.substr(0, cut)).empty());
    discarding.SetMessageSize(5);
    EXPECT_TRUE(discarding.Tail().empty());
    EXPECT_EQ(Drain(discarding, bytes.substr(cut) + bytes),
              (std::vector<Seen>{{Event::kOversized, 1, MessageType::kData, 0, ""},
                                 {Event::kMessage, 1, MessageType::kData, 0, "12345"}}));
  }
}

TEST(MessageDecoderTest, GivesUpForGoodWhereTheReservedByteIsNotZero) {
  MessageDecoder decoder(kMaxMessageSize);
  const std::string bad("\x01\x00\x00\x00\x00\x00\x00\x01\x01\x00", 10);
  EXPECT_EQ(Drain(decoder, bad).at(0).event, Event::kMalformed);
  EXPECT_EQ(Drain(decoder, Message({.stream_id = 1}, "x")).at(0).event, Event::kMalformed);
}

}  // namespace
}  // namespace ttrpc
