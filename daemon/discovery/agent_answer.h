// SPDX-License-Identifier: Apache-2.0
//
// AgentAnswer: the answer of a Kata shim to `GET /agent-url`, an HTTP/1.x response whose body is an
// address. It takes any pieces of the stream and is bounded. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace proxyd {

class AgentAnswer {
 public:
  static constexpr size_t kMostBytes = size_t{64} << 10;  // the whole answer

  // Takes the next bytes. What follows the answer is ignored.
  void Take(std::string_view bytes);
  // The shim has closed the connection.
  void End();

  bool done() const { return result_.has_value(); }
  // Call this only if done(). Returns the body, or INVALID_ARGUMENT with a sentence that says what
  // is wrong with the answer.
  const ttrpc::Result<std::string>& result() const { return *result_; }

 private:
  enum class Body { kUntilEnd, kCounted, kChunked };

  void Fail(std::string what);
  bool ReadHead();
  bool ReadHeader(std::string_view line);
  void ReadBody();
  void ReadChunks();

  std::string text_;
  size_t searched_ = 0;  // the end of the head does not begin before this
  bool has_head_ = false;
  Body body_ = Body::kUntilEnd;
  size_t begin_ = 0;   // the start of the body or of the next chunk
  size_t length_ = 0;  // the length of a counted body
  std::string chunks_;
  std::optional<ttrpc::Result<std::string>> result_;
};

}  // namespace proxyd
