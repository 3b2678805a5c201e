// SPDX-License-Identifier: Apache-2.0
//
// JsonText: splits JSON text into its parts without changing them. It accepts what protobuf's own
// parser accepts, such as names without quotes, and more: that parser checks the parts. Pure; any
// thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace ttrpc::tool {

// Returns the deepest nesting of objects and lists.
size_t DepthOfJson(std::string_view json);

class JsonText {
 public:
  // `text` must outlive the object and the parts that it returns.
  explicit JsonText(std::string_view text) : rest_(text) {}

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
