// SPDX-License-Identifier: Apache-2.0
//
// The C++ names in generated code. Pure; any thread.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>

namespace ttrpc::compiler {

// Returns true for a name of ASCII letters, digits and underscores that does not begin with a
// digit.
bool IsIdentifier(std::string_view text);

// The names for one service. A name that C++ reserves gets an underscore, as in protoc's C++ names.
// So does a method that has the name of one of its classes or of their member.
class ServiceNames {
 public:
  // `service` must outlive the object.
  ServiceNames(const google::protobuf::ServiceDescriptor& service, const std::string& prefix);

  const std::string& interface() const { return interface_; }                  // Greeter
  const std::string& client() const { return client_; }                        // GreeterClient
  const std::string& register_function() const { return register_function_; }  // RegisterGreeter
  std::string method(const google::protobuf::MethodDescriptor& method) const;

 private:
  std::string interface_;
  std::string client_;
  std::string register_function_;
};

}  // namespace ttrpc::compiler
