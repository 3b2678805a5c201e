// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <cstddef>
#include <cstdint>

namespace ttrpc::tool {
namespace {

constexpr uint32_t kNoCharacter = 0x110000;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct Character {
  uint32_t code_point = kNoCharacter;
  size_t length = 1;  // bytes taken
};

// The character at the front of `text`, which is not empty. Over-long forms, surrogates and what is
// beyond U+10FFFF are none.
Character Decode(std::string_view text) {
  const auto byte = [text](size_t i) {
    return static_cast<uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {.code_point = lead};
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return {};
  uint32_t code_point = lead & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    code_point = code_point << 6U | (byte(i) & 0x3FU);
  }
  const bool too_long =
      (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (too_long || surrogate || code_point >= kNoCharacter) return {};
  return {.code_point = code_point, .length = length};
}

// Controls (a terminal takes U+009B for an escape sequence), what some viewers take for the end of
// a line, and marks that change the order in which text is shown.
bool MayDoHarm(uint32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F) ||
         (code_point >= 0x2028 && code_point <= 0x202E) ||
         (code_point >= 0x2066 && code_point <= 0x2069);
}

std::string Hex(uint32_t value, unsigned digits) {
  std::string hex;
  for (unsigned left = digits; left > 0; --left) {
    hex.push_back("0123456789abcdef"[value >> (left - 1) * 4 & 0xFU]);
  }
  return hex;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character character = Decode(text);
    if (character.code_point == kNoCharacter) {
      out += "\\x" + Hex(static_cast<unsigned char>(text[0]), 2);
    } else if (MayDoHarm(character.code_point)) {
      out += character.code_point < 0x80 ? "\\x" + Hex(character.code_point, 2)
                                         : "\\u" + Hex(character.code_point, 4);
    } else {
      out += text.substr(0, character.length);
    }
    text.remove_prefix(character.length);
  }
  return out;
}

std::string JsonQuoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const Character character = Decode(text);
    if (character.code_point == kNoCharacter) {
      out += kReplacement;
    } else if (character.code_point == '"' || character.code_point == '\\') {
      out += '\\';
      out += text[0];
    } else if (character.code_point == '\n') {
      out += "\\n";
    } else if (MayDoHarm(character.code_point)) {
      out += "\\u" + Hex(character.code_point, 4);
    } else {
      out += text.substr(0, character.length);
    }
    text.remove_prefix(character.length);
  }
  return out + '"';
}

std::string PrintableLines(std::string_view text) {
  std::string out;
  while (true) {
    const size_t end = text.find('\n');
    out += Printable(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    out += "\n  ";
    text.remove_prefix(end + 1);
  }
}

}  // namespace ttrpc::tool
