// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "splitter.h"

namespace ttrpc::tool {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Pieces {
  std::vector<std::string> messages;
  std::string error;
};

// Takes all messages that are complete now.
void Drain(MessageSplitter& splitter, Pieces* pieces) {
  while (pieces->error.empty()) {
    const Result<std::optional<std::string>> next = splitter.Next();
    if (!next) pieces->error = next.error().message();
    if (!next || !*next) return;
    pieces->messages.push_back(**next);
  }
}

Pieces Split(std::unique_ptr<MessageSplitter> splitter, std::string_view input, size_t step) {
  Pieces pieces;
  for (size_t at = 0; at < input.size(); at += step) {
    splitter->Add(input.substr(at, step));
    Drain(*splitter, &pieces);
  }
  splitter->End();
  Drain(*splitter, &pieces);
  return pieces;
}

// The outcome is the same for pieces of any size.
Pieces SplitJson(const std::string& input) {
  Pieces whole = Split(JsonSplitter(), input, input.size() + 1);
  for (size_t step = 1; step <= input.size(); ++step) {
    const Pieces pieces = Split(JsonSplitter(), input, step);
    EXPECT_EQ(pieces.messages, whole.messages) << input << " by " << step;
    EXPECT_EQ(pieces.error, whole.error) << input << " by " << step;
  }
  return whole;
}

TEST(JsonSplitterTest, ValuesMayStandInAnyWay) {
  EXPECT_THAT(
      SplitJson("{}{\"a\":1}\n {\"b\":[1,{}]}\t[2] \"s\"3 true{}null").messages,
      ElementsAre("{}", "{\"a\":1}", "{\"b\":[1,{}]}", "[2]", "\"s\"", "3", "true", "{}", "null"));
  EXPECT_THAT(SplitJson("").messages, IsEmpty());
  EXPECT_THAT(SplitJson(" \r\n\t ").messages, IsEmpty());
  EXPECT_THAT(SplitJson("{}  \n").messages, ElementsAre("{}"));
}

TEST(JsonSplitterTest, AByteOrderMarkAtTheBeginningIsSkipped) {
  EXPECT_THAT(SplitJson("\xEF\xBB\xBF{}{}").messages, ElementsAre("{}", "{}"));
  EXPECT_THAT(SplitJson("\xEF\xBB\xBF").messages, IsEmpty());
  EXPECT_THAT(SplitJson("\xEF\xBB").messages, ElementsAre("\xEF\xBB"));
  EXPECT_THAT(SplitJson("{}\xEF\xBB\xBF{}").messages, ElementsAre("{}", "\xEF\xBB\xBF", "{}"));
}

TEST(JsonSplitterTest, BracketsAndQuotesWithinStringsAreText) {
  EXPECT_THAT(SplitJson(R"({"a":"}\"]{"} "\\" {"b":"\\"})").messages,
              ElementsAre(R"({"a":"}\"]{"})", R"("\\")", R"({"b":"\\"})"));
}

TEST(JsonSplitterTest, NonsenseIsAValueThatTheParserRefuses) {
  EXPECT_THAT(SplitJson("}").messages, ElementsAre("}"));
  EXPECT_THAT(SplitJson("{},{}").messages, ElementsAre("{}", ",", "{}"));
  EXPECT_THAT(SplitJson("a:b").messages, ElementsAre("a", ":", "b"));
  EXPECT_THAT(SplitJson("[}{}").messages, ElementsAre("[}", "{}"));
}

TEST(JsonSplitterTest, AnInputThatEndsWithinAValueIsAnError) {
  for (const char* input : {"{", "{\"a\"", "\"a", "[1,", "\"\\\""}) {
    const Pieces pieces = SplitJson(std::string("{}") + input);
    EXPECT_THAT(pieces.messages, ElementsAre("{}")) << input;
    EXPECT_EQ(pieces.error, "incomplete at the end of the input") << input;
  }
}

TEST(JsonSplitterTest, AnObjectIsThereAsSoonAsItsLastBracketIs) {
  const auto splitter = JsonSplitter();
  splitter->Add("{\"a\":1}");
  EXPECT_EQ(splitter->Next().value(), "{\"a\":1}");
  splitter->Add("{\"a\":");
  EXPECT_EQ(splitter->Next().value(), std::nullopt);
  splitter->Add("2}{");
  EXPECT_EQ(splitter->Next().value(), "{\"a\":2}");
  EXPECT_EQ(splitter->Next().value(), std::nullopt);
}

TEST(JsonSplitterTest, AValueWithoutEndIsGivenUp) {
  const auto splitter = JsonSplitter();
  const std::string piece(1U << 20, '[');
  for (size_t sent = 0; sent <= kLongestInput; sent += piece.size()) {
    ASSERT_EQ(splitter->Next().value(), std::nullopt);
    splitter->Add(piece);
  }
  EXPECT_EQ(splitter->Next().error().ToString(), "INVALID_ARGUMENT: longer than 64 MiB");
}

TEST(DelimitedSplitterTest, TakesWhatAppendDelimitedWrote) {
  const std::vector<std::string> messages = {"",
                                             "a",
                                             std::string(127, 'b'),
                                             std::string(128, 'c'),
                                             std::string("\0\x80", 2),
                                             std::string(20000, 'd')};
  std::string input;
  for (const std::string& message : messages) AppendDelimited(message, &input);
  for (const size_t step : {size_t{1}, size_t{3}, size_t{1000}, input.size()}) {
    const Pieces pieces = Split(DelimitedSplitter(), input, step);
    EXPECT_EQ(pieces.messages, messages);
    EXPECT_EQ(pieces.error, "");
  }
}

TEST(DelimitedSplitterTest, BytesOnTheWire) {
  std::string out;
  AppendDelimited("xyz", &out);
  EXPECT_EQ(out, "\x03xyz");
  out.clear();
  AppendDelimited(std::string(300, 'x'), &out);
  EXPECT_EQ(out.substr(0, 2), "\xAC\x02");
}

TEST(DelimitedSplitterTest, AnInputThatEndsWithinAMessageIsAnError) {
  for (const char* input : {"\x80", "\x02z"}) {
    EXPECT_EQ(Split(DelimitedSplitter(), input, 1).error, "incomplete at the end of the input");
  }
}

TEST(DelimitedSplitterTest, LengthsThatNoMessageHasAreRefusedAtOnce) {
  for (const std::string input :
       {"\x81\x80\x80\x20", "\xFF\xFF\xFF\xFF\x0F", "\x80\x80\x80\x80\x80\x01"}) {
    EXPECT_EQ(Split(DelimitedSplitter(), input, 1).error, "longer than 64 MiB");
  }
}

TEST(WholeSplitterTest, IsOneMessageAtTheEnd) {
  EXPECT_THAT(Split(WholeSplitter(), "abc", 1).messages, ElementsAre("abc"));
  EXPECT_THAT(Split(WholeSplitter(), "", 1).messages, ElementsAre(""));
  const auto splitter = WholeSplitter();
  splitter->Add(std::string(kLongestInput + 1, 'x'));
  EXPECT_EQ(splitter->Next().error().message(), "longer than 64 MiB");
}

}  // namespace
}  // namespace ttrpc::tool
