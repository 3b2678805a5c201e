// SPDX-License-Identifier: Apache-2.0
#include "discovery/agent_answer.h"

#include <gtest/gtest.h>

#include <string>

namespace proxyd {
namespace {

// Returns the body, or the error, of an answer that arrives in pieces of this size.
std::string ResultOf(const std::string& stream, size_t piece, bool ends = true) {
  AgentAnswer answer;
  for (size_t at = 0; at < stream.size(); at += piece) {
    answer.Take(std::string_view(stream).substr(at, piece));
  }
  if (ends) answer.End();
  if (!answer.done()) return "not done";
  return answer.result() ? "body " + *answer.result() : answer.result().error().message();
}

void ExpectResult(const std::string& stream, const std::string& expected, bool ends = true) {
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    ASSERT_EQ(ResultOf(stream, piece, ends), expected) << "in pieces of " << piece;
  }
}

constexpr const char* kOk = "HTTP/1.1 200 OK\r\n";

TEST(AgentAnswerTest, ABodyHasALength) {
  ExpectResult(std::string(kOk) + "content-LENGTH: 12\r\nX: y\r\n\r\nvsock://3:10more",
               "body vsock://3:10", false);
}

TEST(AgentAnswerTest, ABodyEndsWithTheConnection) {
  ExpectResult("HTTP/1.0 200\n\nvsock://3:1024", "body vsock://3:1024");
  ExpectResult("HTTP/1.0 200\n\nvsock://3:1024", "not done", false);
}

TEST(AgentAnswerTest, ABodyHasChunks) {
  ExpectResult(
      std::string(kOk) +
          "Transfer-Encoding: chunked\r\n\r\n8;x=y\r\nvsock://\r\n6\r\n3:1024\r\n0\r\n\r\n",
      "body vsock://3:1024", false);
}

TEST(AgentAnswerTest, BadAnswersAreRefused) {
  ExpectResult("HTTP/1.1 404 Not Found\r\n\r\n", "the answer has the status \"404\"", false);
  ExpectResult("SSH-2.0-x\r\n\r\n", "the answer is not HTTP/1.1", false);
  ExpectResult(std::string(kOk) + "Content-Length: -1\r\n\r\n",
               "the answer has a length that is not a number up to 65536", false);
  ExpectResult(std::string(kOk) + "Content-Length: 70000\r\n\r\n",
               "the answer has a length that is not a number up to 65536", false);
  ExpectResult(std::string(kOk) + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
               "the answer has two lengths", false);
  ExpectResult(std::string(kOk) + "Transfer-Encoding: gzip\r\n\r\n",
               "the answer has an unknown transfer encoding", false);
  ExpectResult(std::string(kOk) + "Transfer-Encoding: chunked\r\n\r\nx\r\n",
               "the answer has a chunk without a size", false);
  ExpectResult(std::string(kOk) + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
               "the answer has a chunk that is too long", false);
}

TEST(AgentAnswerTest, ACutAnswerIsRefused) {
  const std::string whole = std::string(kOk) + "Content-Length: 3\r\n\r\nabc";
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_EQ(ResultOf(whole.substr(0, cut), whole.size()), "the answer is cut short") << cut;
  }
}

TEST(AgentAnswerTest, AnEndlessAnswerIsRefused) {
  const std::string too_long = "the answer has more than 65536 bytes";
  for (const std::string& begin :
       {std::string(kOk) + "X: ", std::string(kOk) + "\r\n",
        std::string(kOk) + "Transfer-Encoding: chunked\r\n\r\n10000\r\n"}) {
    EXPECT_EQ(ResultOf(begin + std::string(AgentAnswer::kMostBytes, 'x'), 4096, false), too_long);
  }
}

}  // namespace
}  // namespace proxyd
