// SPDX-License-Identifier: Apache-2.0
#include "hybrid_vsock.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace ttrpc {
namespace {

using State = HybridVsockAnswer::State;

// Feeds the answer in pieces of this size.
State StateAfter(std::string_view bytes, size_t piece, size_t* taken) {
  HybridVsockAnswer answer;
  *taken = 0;
  for (size_t i = 0; i < bytes.size(); i += piece) *taken += answer.Take(bytes.substr(i, piece));
  return answer.state();
}

TEST(HybridVsockAnswerTest, WhatFollowsTheAnswerIsLeft) {
  for (const std::string ok : {"OK 1073741824\n", "OK 1\n", "OK \n", "OK\n"}) {
    for (const std::string rest : {"", "\n", "OK 1\n", "\x00\x01"}) {
      const std::string bytes = ok + rest;
      for (size_t piece = 1; piece <= bytes.size(); ++piece) {
        size_t taken = 0;
        EXPECT_EQ(StateAfter(bytes, piece, &taken), State::kAccepted) << bytes;
        EXPECT_EQ(taken, ok.size()) << bytes;
      }
    }
  }
}

TEST(HybridVsockAnswerTest, CutItIsNoAnswerYet) {
  const std::string_view whole = "OK 1024\n";
  for (size_t length = 0; length < whole.size(); ++length) {
    size_t taken = 0;
    EXPECT_EQ(StateAfter(whole.substr(0, length), 1, &taken), State::kIncomplete) << length;
    EXPECT_EQ(taken, length);
  }
}

TEST(HybridVsockAnswerTest, AnythingElseIsWrongAtItsFirstByte) {
  struct Case {
    std::string_view bytes;
    size_t wrong;  // how many bytes are needed to detect it
  };
  for (const auto& [bytes, wrong] :
       {Case{"ERROR\n", 1}, Case{"\n", 1}, Case{"ok 1\n", 1}, Case{"OL 1\n", 2}, Case{"O\n", 2},
        Case{"OK1\n", 3}, Case{"OK\r\n", 3}, Case{{"\0\0\0\0", 4}, 1}}) {
    size_t taken = 0;
    EXPECT_EQ(StateAfter(bytes, bytes.size(), &taken), State::kWrong) << bytes;
    EXPECT_EQ(taken, wrong) << bytes;
  }
}

TEST(HybridVsockAnswerTest, AnEndlessOneIsGivenUp) {
  const std::string longest = "OK " + std::string(HybridVsockAnswer::kMaxLength - 4, '1');
  size_t taken = 0;
  EXPECT_EQ(StateAfter(longest + "\n", 1, &taken), State::kAccepted);
  EXPECT_EQ(StateAfter(longest + "1\n", 1, &taken), State::kWrong);
  EXPECT_EQ(taken, HybridVsockAnswer::kMaxLength);
}

}  // namespace
}  // namespace ttrpc
