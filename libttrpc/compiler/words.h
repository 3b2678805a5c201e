// SPDX-License-Identifier: Apache-2.0
//
// Words that mean something else in C++ than the name in a .proto file: keywords, and the macros of
// the headers that generated code includes. Pure; any thread. A test compares the lists with what
// the compiler reports and with the public headers.
#pragma once

#include <string_view>

namespace ttrpc::compiler {

enum class Word {
  kFree,           // a name like any other
  kKeyword,        // a keyword of C++20, or one of its alternative tokens
  kMacro,          // a macro of the C library
  kFunctionMacro,  // a macro that is expanded only before a parenthesis
  kProtobufMacro,  // a macro that protobuf needs and that cannot be undefined
  kGnuMacro,       // predefined by -std=gnu++20 and not by -std=c++20
  kReserved,       // begins as only names of the compiler and its library do
};
Word WordOf(std::string_view name);

// Returns true for the keywords that C++20 added. protoc 3.21 does not rename them.
bool IsKeywordOfCpp20(std::string_view name);

// Returns true for the names that libttrpc has in the namespace of a package `ttrpc`.
bool IsNameOfLibttrpc(std::string_view name);

}  // namespace ttrpc::compiler
