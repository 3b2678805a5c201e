// SPDX-License-Identifier: Apache-2.0
//
// TomlWriter: tables of a configuration as text. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace proxyd {

class TomlWriter {
 public:
  // `[log]`, `[[rule]]`, after an empty line unless it is the first. `comment` is a line before it.
  void Table(std::string_view header, std::string_view comment = {});

  // `value` is TOML. `remark` is a comment behind it.
  void Raw(std::string_view key, std::string_view value, std::string_view remark = {});
  void String(std::string_view key, std::string_view value);
  void Number(std::string_view key, uint32_t value) { Raw(key, std::to_string(value)); }
  void Bool(std::string_view key, bool value, std::string_view remark = {}) {
    Raw(key, value ? "true" : "false", remark);
  }

  // `elements` are TOML.
  void Array(std::string_view key, const std::vector<std::string>& elements,
             std::string_view remark = {});
  void ArrayOfLines(std::string_view key, const std::vector<std::string>& elements);

  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

// The elements of an array.
std::vector<std::string> TomlStrings(const std::vector<std::string>& strings);

}  // namespace proxyd
