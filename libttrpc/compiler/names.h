// SPDX-License-Identifier: Apache-2.0
//
// The C++ names of what is generated. Pure; any thread.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>

namespace ttrpc::compiler {

// Of ASCII letters, digits and underscores, not beginning with a digit.
bool IsIdentifier(std::string_view text);

// The names for one service. A name that C++ keeps for itself gets an underscore, as protoc's own
// C++ names do; so does a method that is named like one of its classes, or like their member.
class ServiceNames {
 public:
  // `service` must outlive it.
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
