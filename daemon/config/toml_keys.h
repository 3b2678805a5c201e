// SPDX-License-Identifier: Apache-2.0
//
// Looks through a TOML file for keys of very many parts, before the library reads it: the library
// bounds how deep values nest, but builds and destroys a table for each part of a key, one in the
// other, and recursion through them ends with the stack. Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

namespace proxyd {

// The deepest key that says something has two (`log.level`). Values nest up to 256 deep, with a key
// of this many parts at each level: that is far from what a stack holds.
inline constexpr int kMaxKeyParts = 16;

// Counted as the library counts: from 1, columns in code points.
struct TextPosition {
  unsigned line = 1;
  unsigned column = 1;
};

// Where the first key of more than kMaxKeyParts begins. Dots in strings and comments are none of a
// key's. Exact for as long as the text is valid TOML; any text ends it in one pass.
std::optional<TextPosition> FindLongKey(std::string_view text);

}  // namespace proxyd
