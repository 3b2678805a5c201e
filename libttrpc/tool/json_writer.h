// SPDX-License-Identifier: Apache-2.0
//
// JsonWriter: writes JSON text, with its commas and indentation. Its caller ensures that a member
// of an object has a key. Pure; one thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ttrpc::tool {

struct JsonStyle {
  bool proto_names = false;  // field_name instead of fieldName
  bool defaults = false;     // include fields that have their default value
  bool compact = false;      // each message on one line
};

class JsonWriter {
 public:
  // `compact` writes everything on one line.
  explicit JsonWriter(bool compact) : compact_(compact) {}

  void BeginObject() { Begin('{'); }
  void EndObject() { End('}'); }
  void BeginList() { Begin('['); }
  void EndList() { End(']'); }
  void Key(std::string_view key);

  // Bytes that are not UTF-8 become U+FFFD.
  void String(std::string_view value);
  void Base64(std::string_view bytes);
  void Double(double number);
  void Float(float number);
  // Writes a number, `true`, `false` or `null`.
  void Word(std::string_view word);

  // Returns how many objects and lists are open.
  size_t depth() const { return has_values_.size(); }
  std::string Take() { return std::move(text_); }

 private:
  void Begin(char bracket);
  void End(char bracket);
  void BeforeValue();
  void NewLine();

  const bool compact_;
  std::string text_;
  std::vector<bool> has_values_;  // one for each open object and list
  bool after_key_ = false;
};

void AppendBase64(std::string_view bytes, std::string* out);

}  // namespace ttrpc::tool
