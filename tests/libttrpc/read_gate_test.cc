// SPDX-License-Identifier: Apache-2.0
//
// ReadGate on its own: when a connection is read, depending on what its streams buffer.
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "stream_inbox_harness.h"

namespace ttrpc {
namespace {

using test::kFull;
using test::kMessageCost;
using test::kStreamBuffer;
using test::OwnedInbox;
using test::Taking;

using ReadGateTest = test::StreamInboxFixture;

TEST_F(ReadGateTest, AConnectionIsReadWhileNobodyHoldsIt) {
  EXPECT_TRUE(Reads());
  gate_->Hold();
  EXPECT_FALSE(Reads());
  gate_->Hold();
  gate_->Release();
  EXPECT_FALSE(Reads());
  gate_->Release();
  EXPECT_TRUE(Reads());
}

TEST_F(ReadGateTest, AStreamMayKeepItsBufferAndNoMore) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer - kMessageCost));
  stream->inbox.Push("");
  EXPECT_TRUE(Reads());
  stream->inbox.Push("");
  EXPECT_FALSE(Reads());
}

TEST_F(ReadGateTest, OneMessageMayBeTooMuch) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer + 1));
  EXPECT_FALSE(Reads());
}

TEST_F(ReadGateTest, ManyEmptyMessagesAreTooMuch) {
  const auto stream = Open();
  for (size_t i = 0; i < kStreamBuffer / kMessageCost; ++i) stream->inbox.Push("");
  EXPECT_TRUE(Reads());
  stream->inbox.Push("");
  EXPECT_FALSE(Reads());
}

TEST_F(ReadGateTest, TakingLetsTheConnectionBeReadOnceItIsNoMoreThanItsBuffer) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kMessageCost + 1));
  stream->inbox.Push(Taking(kMessageCost));
  stream->inbox.Push(Taking(kStreamBuffer));
  EXPECT_FALSE(Reads());
  Take(*stream);
  EXPECT_FALSE(Reads());
  Take(*stream);
  EXPECT_TRUE(Reads());
}

TEST_F(ReadGateTest, HoldsTheConnectionAgainWhenItIsTooMuchAgain) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer));
  stream->inbox.Push("");
  EXPECT_FALSE(Reads());
  Take(*stream);
  EXPECT_TRUE(Reads());
  stream->inbox.Push(Taking(kStreamBuffer));
  EXPECT_FALSE(Reads());
}

TEST_F(ReadGateTest, TheConnectionIsReadWhenTheLastOfTwoStreamsLetsGo) {
  const auto one = Open(), other = Open();
  for (OwnedInbox* stream : {one.get(), other.get()}) {
    stream->inbox.Push("");
    stream->inbox.Push(Taking(kStreamBuffer));
    // The connection is held only once.
    stream->inbox.Push("");
  }
  EXPECT_FALSE(Reads());
  Take(*one);
  Take(*one);
  EXPECT_FALSE(Reads());
  Take(*other);
  EXPECT_FALSE(Reads());
  Take(*other);
  EXPECT_TRUE(Reads());
}

TEST_F(ReadGateTest, AStreamDoesNotLetGoForWhoElseHoldsTheGate) {
  const auto stream = Open();
  gate_->Hold();
  stream->inbox.Push(Taking(kStreamBuffer + 1));
  Take(*stream);
  EXPECT_FALSE(Reads());
  gate_->Release();
  EXPECT_TRUE(Reads());
}

TEST_F(ReadGateTest, AllStreamsTogetherMayKeepFourBuffersAndNoMore) {
  const auto four = OpenFour();
  EXPECT_TRUE(Reads());
  const auto fifth = Open();
  fifth->inbox.Push("");
  EXPECT_FALSE(Reads());
  Take(*fifth);
  EXPECT_TRUE(Reads());
}

TEST_F(ReadGateTest, WhatIsTakenMakesRoomForAllStreams) {
  const auto four = OpenFour();
  Take(*four[0]);
  const auto fifth = Open();
  fifth->inbox.Push(Taking(kStreamBuffer));
  EXPECT_TRUE(Reads());
  fifth->inbox.Push("");
  EXPECT_FALSE(Reads());
}

// Streams that end.

TEST_F(ReadGateTest, TheEndLetsTheConnectionBeRead) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer + 1));
  EXPECT_FALSE(Reads());
  stream->inbox.End({});
  EXPECT_TRUE(Reads());
  EXPECT_FALSE(stream->inbox.empty());
}

TEST_F(ReadGateTest, DestroyedItLetsTheConnectionBeRead) {
  auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer + 1));
  EXPECT_FALSE(Reads());
  stream.reset();
  EXPECT_TRUE(Reads());
}

TEST_F(ReadGateTest, AStreamThatGoesLetsGoForItselfOnly) {
  const auto stays = Open(), ends = Open();
  auto destroyed = Open();
  for (OwnedInbox* stream : {stays.get(), ends.get(), destroyed.get()}) {
    stream->inbox.Push(Taking(kStreamBuffer + 1));
  }
  ends->inbox.End({});
  ends->inbox.End({});
  destroyed.reset();
  EXPECT_FALSE(Reads());
  Take(*stays);
  EXPECT_TRUE(Reads());
}

TEST_F(ReadGateTest, TheEndMakesRoomForOthersThoughMessagesAreStillThere) {
  const auto four = OpenFour();
  four[0]->inbox.End({});
  const auto fifth = Open();
  fifth->inbox.Push(Taking(kStreamBuffer));
  EXPECT_TRUE(Reads());
  fifth->inbox.Push("");
  EXPECT_FALSE(Reads());
}

TEST_F(ReadGateTest, DestroyedItMakesRoomForOthers) {
  auto four = OpenFour();
  four[0].reset();
  const auto fifth = Open();
  fifth->inbox.Push(Taking(kStreamBuffer));
  EXPECT_TRUE(Reads());
  fifth->inbox.Push("");
  EXPECT_FALSE(Reads());
}

TEST_F(ReadGateTest, WhatIsTakenAfterTheEndMakesNoMoreRoom) {
  auto four = OpenFour();
  four[0]->inbox.End({});
  four[1]->inbox.End({});
  Take(*four[0]);
  four[1].reset();
  const auto fifth = Open(), sixth = Open();
  fifth->inbox.Push(Taking(kStreamBuffer));
  sixth->inbox.Push(Taking(kStreamBuffer));
  EXPECT_TRUE(Reads());
  const auto seventh = Open();
  seventh->inbox.Push("");
  EXPECT_FALSE(Reads());
}

TEST_F(ReadGateTest, TheGateMayGoBeforeAStreamThatHasEnded) {
  const auto stream = Open();
  stream->inbox.Push(Taking(kStreamBuffer + 1));
  stream->inbox.End({});
  gate_.reset();
  EXPECT_EQ(Take(*stream), Taking(kStreamBuffer + 1));
  EXPECT_EQ(Take(*stream), "the end");
}

TEST_F(ReadGateTest, TakingFromOthersLetsGoOfOneThatWasOnlyTooMuchWithThem) {
  const auto four = OpenFour();
  const auto fifth = Open();
  fifth->inbox.Push("");
  EXPECT_FALSE(Reads());
  for (const auto& stream : four) Take(*stream);
  EXPECT_TRUE(Reads());
}

TEST_F(ReadGateTest, SoDoesTheirEnd) {
  const auto four = OpenFour();
  const auto fifth = Open();
  fifth->inbox.Push("");
  EXPECT_FALSE(Reads());
  for (const auto& stream : four) stream->inbox.End({});
  EXPECT_TRUE(Reads());
}

// The time limit. The test takes real time, so one test covers three kinds of full streams.

TEST_F(ReadGateTest, OnlyAStreamThatNothingIsTakenFromIsToldThatItIsFull) {
  const std::string too_much = Taking(kStreamBuffer + 1);
  bool patient = false;
  Timer patience(loop_.io(), [&patient] { patient = true; });
  patience.Start(std::chrono::milliseconds(999));
  const auto unread = Open(), slow = Open();
  auto late = Open();
  for (OwnedInbox* stream : {unread.get(), slow.get(), late.get()}) stream->inbox.Push(too_much);
  int late_told = 0;
  // The timer runs several times between two checks of the gate. Timers run in the order of their
  // due times, so that this also holds on a busy machine.
  Timer turn(loop_.io(), [&] {
    // This stream always stays above the limit.
    slow->inbox.Push(too_much);
    EXPECT_EQ(Take(*slow), too_much);
    // At each check of the gate, one stream has exceeded the limit only a moment ago.
    late_told += late->told;
    late = Open();
    late->inbox.Push(too_much);
    turn.Start(std::chrono::milliseconds(100));
  });
  turn.Start(std::chrono::milliseconds(100));

  RunUntil([&] { return unread->told + slow->told + late_told + late->told > 0; });
  EXPECT_TRUE(patient);
  EXPECT_EQ(unread->told, 1);
  EXPECT_EQ(unread->inbox.status(), kFull);
  EXPECT_EQ(slow->told, 0);
  EXPECT_EQ(late_told + late->told, 0);
  // This stream no longer holds the connection, but the others do. The loop does not turn here, so
  // the gate cannot check again.
  slow->inbox.End({});
  EXPECT_TRUE(connection_->reading_paused());
  late->inbox.End({});
  turn.Stop();
  EXPECT_TRUE(Reads());
}

}  // namespace
}  // namespace ttrpc
