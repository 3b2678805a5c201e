// SPDX-License-Identifier: Apache-2.0
#include "proxy/stream_state.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ttrpc/wire/message.h"

namespace proxyd {
namespace {

constexpr uint8_t kNone = 0;
constexpr uint8_t kClosed = ttrpc::kFlagRemoteClosed;
constexpr uint8_t kOpen = ttrpc::kFlagRemoteOpen;
constexpr uint8_t kNoData = ttrpc::kFlagNoData;
constexpr uint8_t kUnknown = 0xf8;  // bits that have no meaning yet

struct PeerStep {
  uint8_t flags;
  PeerData expected;
};

struct PeerCase {
  const char* name;
  uint8_t request_flags;
  std::vector<PeerStep> steps;
};

class PeerDataTable : public ::testing::TestWithParam<PeerCase> {};

TEST_P(PeerDataTable, EachMessageBecomesWhatItMust) {
  StreamState state(GetParam().request_flags);
  int step = 0;
  for (const auto& [flags, expected] : GetParam().steps) {
    EXPECT_EQ(state.OnPeerData(flags), expected) << "step " << step++;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, PeerDataTable,
    ::testing::Values(
        PeerCase{"UnaryTakesNone",
                 kNone,
                 {{kNone, PeerData::kRefuse}, {kClosed | kNoData, PeerData::kRefuse}}},
        PeerCase{"UnknownRequestFlagsOpenNothing", kUnknown, {{kNone, PeerData::kRefuse}}},
        PeerCase{"ServerStreamingTakesNone",
                 kClosed,
                 {{kNone, PeerData::kRefuse}, {kNoData, PeerData::kRefuse}}},
        PeerCase{"ServerStreamingMayBeClosedAgain",
                 kClosed,
                 {{kClosed | kNoData, PeerData::kDrop},
                  {kUnknown | kClosed | kNoData, PeerData::kDrop},
                  {kClosed, PeerData::kRefuse}}},
        PeerCase{"OpenTakesManyAndOneClose",
                 kOpen,
                 {{kNone, PeerData::kForward},
                  {kNone, PeerData::kForward},
                  {kClosed | kNoData, PeerData::kClose},
                  {kClosed | kNoData, PeerData::kDrop},
                  {kNone, PeerData::kRefuse}}},
        PeerCase{"RustsOpenIsAnOpen", kOpen | kNoData, {{kNone, PeerData::kForward}}},
        PeerCase{"CloseWithPayloadIsTwo",
                 kOpen,
                 {{kClosed, PeerData::kForwardThenClose},
                  {kClosed | kNoData, PeerData::kDrop},
                  {kNone, PeerData::kRefuse}}},
        PeerCase{"CloseAtOnce",
                 kOpen,
                 {{kClosed | kNoData, PeerData::kClose}, {kClosed, PeerData::kRefuse}}},
        PeerCase{"NoDataAloneSaysNothing",
                 kOpen,
                 {{kNoData, PeerData::kDrop}, {kNone, PeerData::kForward}}},
        PeerCase{"RemoteOpenOnDataMeansNothing",
                 kOpen,
                 {{kOpen, PeerData::kForward}, {kNone, PeerData::kForward}}},
        PeerCase{
            "UnknownBitsMeanNothing",
            kOpen | kUnknown,
            {{kUnknown, PeerData::kForward}, {kUnknown | kClosed | kNoData, PeerData::kClose}}}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

struct BackendCase {
  const char* name;
  uint8_t request_flags;
  uint8_t data_flags;
  BackendMessage expected;
};

class BackendDataTable : public ::testing::TestWithParam<BackendCase> {};

TEST_P(BackendDataTable, EachMessageBecomesWhatItMust) {
  const ttrpc::MessageHeader header = {.type = ttrpc::MessageType::kData,
                                       .flags = GetParam().data_flags};
  EXPECT_EQ(StreamState(GetParam().request_flags).OnBackendMessage(header), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    All, BackendDataTable,
    ::testing::Values(
        BackendCase{"DataOnUnary", kNone, kNone, BackendMessage::kRefuse},
        BackendCase{"CloseOnUnary", kNone, kClosed | kNoData, BackendMessage::kRefuse},
        BackendCase{"DataOfServerStream", kClosed, kNone, BackendMessage::kForward},
        BackendCase{"EndOfServerStream", kClosed, kClosed | kNoData,
                    BackendMessage::kForwardAndEnd},
        BackendCase{"EndWithPayload", kClosed, kClosed, BackendMessage::kForwardAndEnd},
        BackendCase{"DataOfBidi", kOpen, kNone, BackendMessage::kForward},
        BackendCase{"EndOfBidi", kOpen, kClosed | kNoData, BackendMessage::kForwardAndEnd},
        BackendCase{"UnknownBits", kOpen, kUnknown, BackendMessage::kForward}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(StreamStateTest, AResponseEndsEveryKind) {
  for (const uint8_t flags : {kNone, kClosed, kOpen}) {
    EXPECT_EQ(StreamState(flags).OnBackendMessage({.type = ttrpc::MessageType::kResponse}),
              BackendMessage::kForwardAndEnd);
  }
}

TEST(StreamStateTest, OnlyARequestWithNeitherFlagIsUnary) {
  EXPECT_TRUE(StreamState(kNone).unary());
  EXPECT_TRUE(StreamState(kNoData | kUnknown).unary());
  EXPECT_FALSE(StreamState(kClosed).unary());
  EXPECT_FALSE(StreamState(kOpen).unary());
}

TEST(StreamStateTest, TheRequestsFlagsAreWrittenAnew) {
  EXPECT_EQ(RequestFlagsToBackend(kNone, false), kNone);
  EXPECT_EQ(RequestFlagsToBackend(kNone, true), kNone);
  EXPECT_EQ(RequestFlagsToBackend(kNoData, true), kNone);
  EXPECT_EQ(RequestFlagsToBackend(kClosed, true), kClosed)
      << "an empty request of a server stream is a message";
  EXPECT_EQ(RequestFlagsToBackend(kOpen, false), kOpen);
  EXPECT_EQ(RequestFlagsToBackend(kOpen, true), kOpen | kNoData);
  EXPECT_EQ(RequestFlagsToBackend(kOpen | kNoData, false), kOpen)
      << "there is a payload, whatever the flag said";
  EXPECT_EQ(RequestFlagsToBackend(0xff, false), kOpen | kClosed);
}

}  // namespace
}  // namespace proxyd
