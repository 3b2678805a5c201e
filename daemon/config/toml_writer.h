// SPDX-License-Identifier: Apache-2.0
//
// TomlWriter: writes tables of a configuration as text. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace proxyd {

class TomlWriter {
 public:
  // Writes a header such as `[log]` or `[[rule]]`, after an empty line unless it is the first. A
  // `comment` gets a line before the header.
  void Table(std::string_view header, std::string_view comment = {});

  // Writes a value that is TOML already. A `remark` becomes a comment on the same line.
  void Raw(std::string_view key, std::string_view value, std::string_view remark = {});
  void String(std::string_view key, std::string_view value);
  void Number(std::string_view key, uint32_t value) { Raw(key, std::to_string(value)); }
  void Bool(std::string_view key, bool value, std::string_view remark = {}) {
    Raw(key, value ? "true" : "false", remark);
  }

  // Write an array. The elements are TOML already.
  void Array(std::string_view key, const std::vector<std::string>& elements,
             std::string_view remark = {});
  void ArrayOfLines(std::string_view key, const std::vector<std::string>& elements);

  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

// Quotes strings, for use as the elements of an array.
std::vector<std::string> TomlStrings(const std::vector<std::string>& strings);

}  // namespace proxyd
