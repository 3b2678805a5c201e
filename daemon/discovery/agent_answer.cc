// SPDX-License-Identifier: Apache-2.0
#include "discovery/agent_answer.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "discovery/found_text.h"

namespace proxyd {

namespace {

std::string Lowered(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

std::string_view WithoutBlanks(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t\r"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

// Returns none if the text is not a number of bytes that an answer may have.
std::optional<size_t> SizeOf(std::string_view digits, int base) {
  size_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value, base);
  if (error != std::errc() || stopped != end || value > AgentAnswer::kMostBytes) return {};
  return value;
}

// Returns the position after the empty line that ends a head, or npos.
size_t EndOfAgentHead(std::string_view text, size_t from) {
  for (size_t at = text.find('\n', from); at != text.npos; at = text.find('\n', at + 1)) {
    std::string_view rest = text.substr(at + 1);
    if (rest.starts_with('\r')) rest.remove_prefix(1);
    if (rest.starts_with('\n')) return text.size() - rest.size() + 1;
  }
  return text.npos;
}

}  // namespace

void AgentAnswer::Fail(std::string what) {
  text_.clear();
  result_ = ttrpc::Status(ttrpc::StatusCode::kInvalidArgument, std::move(what));
}

void AgentAnswer::Take(std::string_view bytes) {
  if (done()) return;
  const size_t room = kMostBytes - text_.size();
  text_.append(bytes.substr(0, room));
  if (!has_head_ && !ReadHead()) {
    if (!done() && bytes.size() > room) Fail("the answer has more than 65536 bytes");
    return;
  }
  ReadBody();
  if (!done() && bytes.size() > room) Fail("the answer has more than 65536 bytes");
}

void AgentAnswer::End() {
  if (done()) return;
  if (has_head_ && body_ == Body::kUntilEnd) {
    result_ = text_.substr(begin_);
  } else {
    Fail("the answer is cut short");
  }
}

// Returns true if the head is complete and good.
bool AgentAnswer::ReadHead() {
  const size_t end = EndOfAgentHead(text_, searched_);
  if (end == std::string::npos) {
    // An empty line has at most three bytes.
    searched_ = text_.size() < 3 ? 0 : text_.size() - 3;
    return false;
  }
  has_head_ = true;
  begin_ = end;
  std::string_view head = std::string_view(text_).substr(0, end);
  const std::string_view first = WithoutBlanks(head.substr(0, head.find('\n')));
  // HTTP/1.x CODE, and a reason that may be missing.
  if (!first.starts_with("HTTP/1.") || first.size() < 12 || first[8] != ' ' ||
      (first.size() > 12 && first[12] != ' ')) {
    Fail("the answer is not HTTP/1.1");
    return false;
  }
  if (const std::string_view code = first.substr(9, 3); code != "200") {
    Fail("the answer has the status " + ShownText(code));
    return false;
  }
  head.remove_prefix(head.find('\n') + 1);
  while (!head.empty()) {
    const size_t line_end = head.find('\n');  // the head ends in one
    if (!ReadHeader(WithoutBlanks(head.substr(0, line_end)))) return false;
    head.remove_prefix(line_end + 1);
  }
  return true;
}

bool AgentAnswer::ReadHeader(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  const std::string name = Lowered(line.substr(0, colon));
  const std::string_view value = WithoutBlanks(line.substr(colon + 1));
  if (name != "content-length" && name != "transfer-encoding") return true;
  if (body_ != Body::kUntilEnd) {
    Fail("the answer has two lengths");
    return false;
  }
  if (name == "transfer-encoding") {
    if (Lowered(value) != "chunked") {
      Fail("the answer has an unknown transfer encoding");
      return false;
    }
    body_ = Body::kChunked;
    return true;
  }
  const std::optional<size_t> length = SizeOf(value, 10);
  if (!length) {
    Fail("the answer has a length that is not a number up to 65536");
    return false;
  }
  body_ = Body::kCounted;
  length_ = *length;
  return true;
}

void AgentAnswer::ReadBody() {
  if (body_ == Body::kChunked) return ReadChunks();
  if (body_ == Body::kCounted && text_.size() - begin_ >= length_)
    result_ = text_.substr(begin_, length_);
}

void AgentAnswer::ReadChunks() {
  while (true) {
    const size_t line_end = text_.find('\n', begin_);
    if (line_end == std::string::npos) return;
    std::string_view line = std::string_view(text_).substr(begin_, line_end - begin_);
    line = WithoutBlanks(line.substr(0, line.find(';')));
    const std::optional<size_t> size = SizeOf(line, 16);
    if (!size) return Fail("the answer has a chunk without a size");
    if (*size == 0) {
      result_ = std::move(chunks_);
      return;
    }
    const size_t data = line_end + 1;
    // An end of line follows the data.
    const size_t end = text_.find('\n', std::min(data + *size, text_.size()));
    if (end == std::string::npos) return;
    if (end - data - *size > 1) return Fail("the answer has a chunk that is too long");
    chunks_.append(text_, data, *size);
    begin_ = end + 1;
  }
}

}  // namespace proxyd
