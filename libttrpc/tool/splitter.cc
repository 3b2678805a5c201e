// SPDX-License-Identifier: Apache-2.0
#include "splitter.h"

#include <utility>

#include "invalid.h"

namespace ttrpc::tool {
namespace {

Status TooLong() { return Invalid("longer than " + std::to_string(kLongestInput >> 20) + " MiB"); }

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

class Json final : public MessageSplitter {
 public:
  Result<std::optional<std::string>> Next() override {
    if (!begun_ && !Begin()) return std::optional<std::string>();
    if (scanned_ == 0) Skip(std::min(unread().find_first_not_of(kSpace), unread().size()));
    const std::optional<size_t> length = Scan();
    if (length) {
      scanned_ = 0;
      return Take(*length);
    }
    if (unread().size() > kLongestInput) return TooLong();
    if (ended() && !unread().empty()) return Invalid("incomplete at the end of the input");
    return std::optional<std::string>();
  }

 private:
  // Skips the byte order mark that some editors write. Returns false if more input is needed.
  bool Begin() {
    const std::string_view start = unread().substr(0, kByteOrderMark.size());
    if (start == kByteOrderMark) {
      Skip(start.size());
    } else if (!ended() && kByteOrderMark.starts_with(start)) {
      return false;
    }
    begun_ = true;
    return true;
  }

  // Returns the length of the first value if all of it is there.
  std::optional<size_t> Scan() {
    const std::string_view text = unread();
    while (scanned_ < text.size()) {
      const char c = text[scanned_];
      if (in_word_) {
        if (kAfterWord.find(c) != std::string_view::npos) return EndOfWord();
        ++scanned_;
        continue;
      }
      ++scanned_;
      if (in_string_) {
        if (ScanInString(c)) return scanned_;
      } else if (c == '"') {
        in_string_ = true;
      } else if (c == '{' || c == '[') {
        ++depth_;
      } else if (c == '}' || c == ']') {
        // A bracket that closes nothing is left for the parser to report.
        if (depth_ <= 1) return EndOfValue();
        --depth_;
      } else if (depth_ == 0) {
        if (c == ',' || c == ':') return EndOfValue();
        in_word_ = true;
      }
    }
    if (in_word_ && ended()) return EndOfWord();
    return std::nullopt;
  }

  // Returns true if the string has ended and was the whole value.
  bool ScanInString(char c) {
    if (std::exchange(escaped_, false)) return false;
    escaped_ = c == '\\';
    if (c == '"') in_string_ = false;
    return !in_string_ && depth_ == 0;
  }

  size_t EndOfValue() {
    depth_ = 0;
    return scanned_;
  }

  size_t EndOfWord() {
    in_word_ = false;
    return scanned_;
  }

  static constexpr std::string_view kAfterWord = " \t\r\n{}[]\",:";

  bool begun_ = false;
  size_t scanned_ = 0;  // bytes of the first value
  size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool in_word_ = false;
};

class Delimited final : public MessageSplitter {
 public:
  Result<std::optional<std::string>> Next() override {
    const std::string_view bytes = unread();
    uint64_t length = 0;
    size_t at = 0;
    for (bool more = true; more; ++at) {
      if (at == kLongestVarint) return TooLong();
      if (at == bytes.size()) return NotYet();
      const auto byte = static_cast<unsigned char>(bytes[at]);
      length |= static_cast<uint64_t>(byte & 0x7FU) << 7 * at;
      more = byte >= 0x80;
    }
    if (length > kLongestInput) return TooLong();
    if (bytes.size() - at < length) return NotYet();
    Skip(at);
    return Take(length);
  }

 private:
  Result<std::optional<std::string>> NotYet() const {
    if (ended() && !unread().empty()) return Invalid("incomplete at the end of the input");
    return std::optional<std::string>();
  }

  static constexpr size_t kLongestVarint = 5;  // more than kLongestInput needs
};

class Whole final : public MessageSplitter {
 public:
  Result<std::optional<std::string>> Next() override {
    if (unread().size() > kLongestInput) return TooLong();
    if (!ended() || std::exchange(taken_, true)) return std::optional<std::string>();
    return Take(unread().size());
  }

 private:
  bool taken_ = false;
};

}  // namespace

void MessageSplitter::Add(std::string_view bytes) {
  buffer_.erase(0, std::exchange(begin_, 0));
  buffer_ += bytes;
}

std::optional<std::string> MessageSplitter::Take(size_t count) {
  std::optional<std::string> message(unread().substr(0, count));
  Skip(count);
  return message;
}

std::unique_ptr<MessageSplitter> JsonSplitter() { return std::make_unique<Json>(); }
std::unique_ptr<MessageSplitter> DelimitedSplitter() { return std::make_unique<Delimited>(); }
std::unique_ptr<MessageSplitter> WholeSplitter() { return std::make_unique<Whole>(); }

void AppendDelimited(std::string_view message, std::string* out) {
  size_t length = message.size();
  for (; length >= 0x80; length >>= 7) out->push_back(static_cast<char>((length & 0x7FU) | 0x80U));
  out->push_back(static_cast<char>(length));
  *out += message;
}

}  // namespace ttrpc::tool
