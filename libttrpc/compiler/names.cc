// SPDX-License-Identifier: Apache-2.0
#include "names.h"

#include <google/protobuf/compiler/cpp/names.h>

#include <algorithm>
#include <map>
#include <set>

#include "generator.h"

namespace ttrpc::compiler {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

// The keywords of C++20 ([lex.key]) and its alternative tokens.
bool IsKeyword(const std::string& name) {
  static const std::set<std::string_view> kKeywords = {
      "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break",
      "case", "catch", "char", "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return",
      "co_yield", "compl", "concept", "const", "const_cast", "consteval", "constexpr", "constinit",
      "continue", "decltype", "default", "delete", "do", "double", "dynamic_cast", "else", "enum",
      "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if", "inline",
      "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr",
      "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast",
      "requires", "return", "short", "signed", "sizeof", "static", "static_assert", "static_cast",
      "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef",
      "typeid", "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t",
      "while", "xor", "xor_eq",
      // Macros of the C library that a program may include.
      "NULL", "errno", "assert", "stdin", "stdout", "stderr", "major", "minor", "unix", "linux"};
  return kKeywords.contains(name);
}

std::string Escaped(const std::string& name) { return IsKeyword(name) ? name + "_" : name; }

// Collects the C++ names that protoc uses in the same namespace.
void CollectMessages(const Descriptor& message, std::map<std::string, std::string>* names) {
  names->emplace(google::protobuf::compiler::cpp::ClassName(&message), "message " + message.name());
  for (int i = 0; i < message.nested_type_count(); ++i)
    CollectMessages(*message.nested_type(i), names);
}

// Reserves `name` for `what`. Returns an error if it is already taken, or an empty string.
std::string Claim(const std::string& name, const std::string& what,
                  std::map<std::string, std::string>* names) {
  const auto [owner, is_new] = names->emplace(name, what);
  if (is_new) return {};
  return what + " and " + owner->second + " would both be " + name + " in C++; rename one of them";
}

std::string CheckMethods(const ServiceDescriptor& service, const ServiceNames& names) {
  std::map<std::string, std::string> taken;
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    std::string error = Claim(names.method(method), "method " + method.full_name(), &taken);
    if (!error.empty()) return error;
  }
  return {};
}

}  // namespace

bool IsIdentifier(std::string_view text) {
  const auto letter = [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

ServiceNames::ServiceNames(const ServiceDescriptor& service, const std::string& prefix)
    : interface_(Escaped(prefix + service.name())),
      client_(prefix + service.name() + "Client"),
      register_function_("Register" + prefix + service.name()) {}

std::string ServiceNames::method(const MethodDescriptor& method) const {
  const std::string& name = method.name();
  if (name == interface_ || name == client_ || name == "client_") return name + "_";
  return Escaped(name);
}

std::string CheckNames(const FileDescriptor& file, const Options& options) {
  std::map<std::string, std::string> names;
  for (int i = 0; i < file.message_type_count(); ++i)
    CollectMessages(*file.message_type(i), &names);
  for (int i = 0; i < file.enum_type_count(); ++i)
    names.emplace(file.enum_type(i)->name(), "enum " + file.enum_type(i)->name());
  for (int i = 0; i < file.service_count(); ++i) {
    const ServiceDescriptor& service = *file.service(i);
    const ServiceNames of_service(service, options.prefix);
    const std::string what = "service " + service.full_name();
    for (const std::string& error :
         {Claim(of_service.interface(), what, &names),
          Claim(of_service.client(), "the client of " + what, &names),
          Claim(of_service.register_function(), "the function for " + what, &names),
          CheckMethods(service, of_service)}) {
      if (!error.empty()) return error;
    }
  }
  return {};
}

}  // namespace ttrpc::compiler
