// SPDX-License-Identifier: Apache-2.0
//
// The plugin's parameter, which protoc passes from `--cpp-ttrpc_out=PARAMETER:DIR`. Pure; any
// thread.
#pragma once

#include <string>
#include <string_view>

namespace ttrpc::compiler {

// The treatment of names that are macros in C++.
enum class Macros {
  kRefuse,  // they are errors
  kUndef,   // the generated headers undefine the macros
  kAllow,   // the user does something about them
};

struct Options {
  std::string prefix;             // precedes the name of each class, and follows `Register`
  std::string suffix = "Client";  // ends the name of a client
  Macros macros = Macros::kRefuse;
};

// Returns true for a name of ASCII letters, digits and underscores that does not begin with a
// digit.
bool IsIdentifier(std::string_view text);

// Parses the parameter, `key=value,…`. Returns what is wrong with it, or an empty string.
std::string ParseParameter(const std::string& parameter, Options* options);

}  // namespace ttrpc::compiler
