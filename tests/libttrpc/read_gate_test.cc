// SPDX-License-Identifier: Apache-2.0
//
// ReadGate on its own: when a connection is read, whatever its streams keep.
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
    // Still once.
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

// A stream that goes.

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

// Patience. It takes real time, hence one test for the three kinds of streams that are too much.

TEST_F(ReadGateTest, OnlyAStreamThatNothingIsTakenFromIsToldThatItIsFull) {
  const std::string too_much = Taking(kStreamBuffer + 1);
  bool patient = false;
  Timer patience(loop_.io(), [&patient] { patient = true; });
  patience.Start(std::chrono::milliseconds(999));
  const auto unread = Open(), slow = Open();
  auto late = Open();
  for (OwnedInbox* stream : {unread.get(), slow.get(), late.get()}) stream->inbox.Push(too_much);
  int late_told = 0;
  // Several times between two looks of the gate. What is due first runs first, so that this holds
  // on a busy machine, too.
  Timer turn(loop_.io(), [&] {
    // It never gets to be less than too much.
    slow->inbox.Push(too_much);
    EXPECT_EQ(Take(*slow), too_much);
    // Whenever the gate looks, there is one that became too much a moment ago.
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
  // It holds the connection no more; the others do. Without a turn of the loop, in which the gate
  // might look again.
  slow->inbox.End({});
  EXPECT_TRUE(connection_->reading_paused());
  late->inbox.End({});
  turn.Stop();
  EXPECT_TRUE(Reads());
}

}  // namespace
}  // namespace ttrpc
