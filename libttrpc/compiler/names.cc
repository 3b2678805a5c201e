// SPDX-License-Identifier: Apache-2.0
#include "names.h"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/descriptor.pb.h>

#include <map>
#include <set>

#include "words.h"

namespace ttrpc::compiler {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;
using google::protobuf::compiler::cpp::ClassName;
using google::protobuf::compiler::cpp::EnumValueName;

std::string Escaped(const std::string& name) {
  // These are macros in the headers of other systems and versions.
  static const std::set<std::string_view> kElsewhere = {"major", "minor", "stderr", "stdin",
                                                        "stdout"};
  const Word word = WordOf(name);
  const bool free = word == Word::kFree || word == Word::kReserved;
  return free && !kElsewhere.contains(name) ? name : name + "_";
}

// Maps the names in a C++ namespace to what has them, and keeps the first clash.
class Scope {
 public:
  explicit Scope(const std::string& package = "") : is_ttrpc_(package == "ttrpc") {}

  // A clash with a name of ours can be avoided by a parameter.
  void Claim(const std::string& name, const std::string& what, bool ours = false) {
    if (is_ttrpc_ && IsNameOfLibttrpc(name)) names_.emplace(name, "libttrpc's " + name);
    const auto [owner, is_new] = names_.emplace(name, what);
    if (is_new || owner->second == what || !clash_.empty()) return;
    clash_ = what + " and " + owner->second + " would both be " + name + " in C++; rename one of " +
             (ours ? "them, or use the parameter prefix or suffix" : "them");
  }
  const std::string& clash() const { return clash_; }

 private:
  bool is_ttrpc_;
  std::map<std::string, std::string> names_;
  std::string clash_;
};

void ClaimEnum(const EnumDescriptor& type, Scope* scope) {
  const std::string name = ClassName(&type);
  scope->Claim(name, "enum " + type.full_name());
  for (const char* end : kEnumFunctions) scope->Claim(name + end, "protoc's " + name + end);
  // The values of a nested enum get the name of the enum, since C++ has them outside the message.
  const std::string before = type.containing_type() != nullptr ? name + "_" : "";
  for (const char* end : kEnumConstants) {
    const std::string constant = before + type.name() + end;
    scope->Claim(constant, "protoc's " + constant);
  }
  for (int i = 0; i < type.value_count(); ++i) {
    scope->Claim(before + EnumValueName(type.value(i)), "enum value " + type.value(i)->full_name());
  }
}

void ClaimMessage(const Descriptor& message, Scope* scope) {
  scope->Claim(ClassName(&message), "message " + message.full_name());
  for (int i = 0; i < message.enum_type_count(); ++i) ClaimEnum(*message.enum_type(i), scope);
  for (int i = 0; i < message.nested_type_count(); ++i)
    ClaimMessage(*message.nested_type(i), scope);
}

// Claims what protoc declares for the file in the namespace of `package`.
void ClaimFile(const FileDescriptor& file, const std::string& package, Scope* scope) {
  if (file.package() != package) {
    // A package inside ours is a namespace in our namespace.
    const std::string outer = package.empty() ? "" : package + ".";
    if (!file.package().starts_with(outer)) return;
    const std::string inner = file.package().substr(outer.size());
    const std::string name = inner.substr(0, inner.find('.'));
    scope->Claim(name, "namespace " + name);
    return;
  }
  for (int i = 0; i < file.message_type_count(); ++i) ClaimMessage(*file.message_type(i), scope);
  for (int i = 0; i < file.enum_type_count(); ++i) ClaimEnum(*file.enum_type(i), scope);
  for (int i = 0; i < file.extension_count(); ++i)
    scope->Claim(file.extension(i)->name(), "extension " + file.extension(i)->full_name());
  if (!file.options().cc_generic_services()) return;
  for (int i = 0; i < file.service_count(); ++i) {
    const std::string& name = file.service(i)->name();
    for (const char* end : {"", "_Stub"})
      scope->Claim(name + end, "protoc's " + name + end + " (cc_generic_services)");
  }
}

void ClaimImports(const FileDescriptor& file, const std::string& package,
                  std::set<const FileDescriptor*>* seen, Scope* scope) {
  if (!seen->insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i)
    ClaimImports(*file.dependency(i), package, seen, scope);
  ClaimFile(file, package, scope);
}

std::string CheckMethods(const ServiceDescriptor& service, const ServiceNames& names) {
  Scope scope;
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    scope.Claim(names.method(method), "method " + method.full_name());
  }
  return scope.clash();
}

}  // namespace

ServiceNames::ServiceNames(const ServiceDescriptor& service, const Options& options)
    : interface_(Escaped(options.prefix + service.name())),
      client_(Escaped(options.prefix + service.name() + options.suffix)),
      register_function_("Register" + options.prefix + service.name()) {}

std::string ServiceNames::method(const MethodDescriptor& method) const {
  const std::string& name = method.name();
  if (name == interface_ || name == client_ || name == "client_") return name + "_";
  return Escaped(name);
}

std::string CheckNames(const FileDescriptor& file, const Options& options) {
  Scope scope(file.package());
  if (file.package().empty()) {
    for (const char* name : {"std", "google", "ttrpc"})
      scope.Claim(name, "namespace " + std::string(name));
  }
  std::set<const FileDescriptor*> seen;
  ClaimImports(file, file.package(), &seen, &scope);
  for (int i = 0; i < file.service_count(); ++i) {
    const ServiceDescriptor& service = *file.service(i);
    const ServiceNames names(service, options);
    const std::string what = "service " + service.full_name();
    scope.Claim(names.interface(), what, true);
    scope.Claim(names.client(), "the client of " + what, true);
    scope.Claim(names.register_function(), "the function for " + what, true);
    if (!scope.clash().empty()) break;
    std::string error = CheckMethods(service, names);
    if (!error.empty()) return error;
  }
  return scope.clash();
}

}  // namespace ttrpc::compiler
