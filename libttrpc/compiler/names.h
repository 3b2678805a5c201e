// SPDX-License-Identifier: Apache-2.0
//
// The C++ names in generated code. Pure; any thread.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

#include "options.h"

namespace ttrpc::compiler {

// The names for one service. A name that is a keyword or a macro in C++ gets an underscore, as in
// protoc's C++ names. So does a method that has the name of one of its classes or of their member.
class ServiceNames {
 public:
  ServiceNames(const google::protobuf::ServiceDescriptor& service, const Options& options);

  const std::string& interface() const { return interface_; }                  // Greeter
  const std::string& client() const { return client_; }                        // GreeterClient
  const std::string& register_function() const { return register_function_; }  // RegisterGreeter
  std::string method(const google::protobuf::MethodDescriptor& method) const;

 private:
  std::string interface_;
  std::string client_;
  std::string register_function_;
};

// protoc ends the names that it adds to an enum in these.
inline constexpr const char* kEnumConstants[] = {"_MIN", "_MAX", "_ARRAYSIZE"};
inline constexpr const char* kEnumFunctions[] = {"_IsValid", "_Name", "_Parse", "_descriptor"};

// Checks the names of a file in the C++ namespace that it shares with its imports. Returns which
// two would be equal and how to avoid that, or an empty string.
std::string CheckNames(const google::protobuf::FileDescriptor& file, const Options& options);

}  // namespace ttrpc::compiler
