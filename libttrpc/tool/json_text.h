// SPDX-License-Identifier: Apache-2.0
//
// JsonText: splits JSON text into its parts without changing them. It accepts what protobuf's own
// parser accepts, such as names without quotes, and more: that parser checks the parts. Pure; any
// thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ttrpc::tool {

// Returns the deepest nesting of objects and lists.
size_t DepthOfJson(std::string_view json);

// Returns the text of a string, with its escapes decoded. Other tokens are returned unchanged.
// Returns none if an escape is wrong.
std::optional<std::string> Unquoted(std::string_view token);

class JsonText {
 public:
  // `text` must outlive the object and the parts that it returns.
  explicit JsonText(std::string_view text) : rest_(text) {}

  // Returns true if only white space is left.
  bool AtEnd();
  // Returns the next character after white space without taking it; 0 at the end.
  char Peek();
  // Takes the next character if it is `c`.
  bool Take(char c);
  // Takes a string, a name without quotes, a number or a word. Returns an empty text if the next
  // character begins neither.
  std::string_view TakeToken();
  // Takes a whole value. Returns an empty text if it is incomplete.
  std::string_view TakeValue();

 private:
  std::string_view TakeBrackets();
  std::string_view TakeFirst(size_t count);

  std::string_view rest_;
};

}  // namespace ttrpc::tool
