// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/stubs/strutil.h>

#include <map>
#include <utility>

#include "names.h"
#include "words.h"

namespace ttrpc::compiler {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileOptions;
using google::protobuf::SourceLocation;
using google::protobuf::compiler::cpp::ClassName;
using google::protobuf::compiler::cpp::EnumValueName;
using google::protobuf::compiler::cpp::FieldName;
using google::protobuf::compiler::cpp::OneofCaseConstantName;

// The owner of the names that protoc gives to every message or enum.
constexpr const char* kProtobuf = "protobuf's own name";

// The members of every message's class, and those of a class with reflection.
constexpr const char* kMembers[] = {
    "ByteSizeLong",
    "Clear",
    "CopyFrom",
    "FullMessageName",
    "GetArenaForAllocation",
    "GetCachedSize",
    "GetOwningArena",
    "InternalSwap",
    "IsInitialized",
    "MergeFrom",
    "New",
    "SetCachedSize",
    "SharedCtor",
    "SharedDtor",
    "Swap",
    "UnsafeArenaSwap",
    "default_instance",
    "internal_default_instance",
    "kIndexInFileMessages",
    "Impl_",
    "MaybeComputeUnknownFieldsSize",
    "_impl_",
    "_internal_metadata_",
};
constexpr const char* kMembersOfReflection[] = {
    "GetClassData", "GetDescriptor", "GetMetadata", "GetReflection", "MergeImpl", "descriptor",
};

enum class Use { kNamespace, kType, kValue, kFunction };

// A name in the C++ code that protoc generates.
struct Name {
  std::string text;  // in C++
  Use use;
  std::string what;   // such as "field a.M.requires"
  std::string place;  // FILE:LINE:COLUMN, or FILE
};

std::string Place(const FileDescriptor& file, bool is_known, const SourceLocation& location) {
  if (!is_known) return file.name();
  return file.name() + ":" + std::to_string(location.start_line + 1) + ":" +
         std::to_string(location.start_column + 1);
}

template <typename D>
std::string PlaceOf(const D& descriptor) {
  SourceLocation location;
  const bool is_known = descriptor.GetSourceLocation(&location);
  return Place(*descriptor.file(), is_known, location);
}

std::string PlaceOfPackage(const FileDescriptor& file) {
  SourceLocation location;
  const bool is_known =
      file.GetSourceLocation({FileDescriptorProto::kPackageFieldNumber}, &location);
  return Place(file, is_known, location);
}

// Returns the name as protoc writes it, with an underscore after the words that it knows.
std::string Renamed(const std::string& name) {
  const bool is_known = WordOf(name) == Word::kKeyword && !IsKeywordOfCpp20(name);
  return is_known || name == "NULL" ? name + "_" : name;
}

// A nested type has two names: one that begins with those of its parents, and its own in the class
// of its parent.
template <typename D>
void AddType(const D& type, const char* what, std::vector<Name>* names) {
  names->push_back({ClassName(&type), Use::kType, what + type.full_name(), PlaceOf(type)});
  if (type.containing_type() == nullptr) return;
  names->push_back({Renamed(type.name()), Use::kType, what + type.full_name(), PlaceOf(type)});
}

void AddEnum(const EnumDescriptor& type, std::vector<Name>* names) {
  AddType(type, "enum ", names);
  for (int i = 0; i < type.value_count(); ++i) {
    const auto& value = *type.value(i);
    names->push_back(
        {EnumValueName(&value), Use::kValue, "enum value " + value.full_name(), PlaceOf(value)});
  }
}

void AddExtension(const FieldDescriptor& field, std::vector<Name>* names) {
  names->push_back(
      {Renamed(field.name()), Use::kValue, "extension " + field.full_name(), PlaceOf(field)});
}

void AddMessage(const Descriptor& message, std::vector<Name>* names) {
  if (message.options().map_entry()) return;
  AddType(message, "message ", names);
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    names->push_back(
        {FieldName(&field), Use::kFunction, "field " + field.full_name(), PlaceOf(field)});
  }
  for (int i = 0; i < message.extension_count(); ++i) AddExtension(*message.extension(i), names);
  for (int i = 0; i < message.enum_type_count(); ++i) AddEnum(*message.enum_type(i), names);
  for (int i = 0; i < message.nested_type_count(); ++i) AddMessage(*message.nested_type(i), names);
}

std::vector<Name> NamesIn(const FileDescriptor& file) {
  std::vector<Name> names;
  std::string part;
  for (const char c : file.package() + ".") {
    if (c != '.') {
      part += c;
    } else if (!part.empty()) {
      names.push_back({part, Use::kNamespace, "package " + file.package(), PlaceOfPackage(file)});
      part.clear();
    }
  }
  for (int i = 0; i < file.message_type_count(); ++i) AddMessage(*file.message_type(i), &names);
  for (int i = 0; i < file.enum_type_count(); ++i) AddEnum(*file.enum_type(i), &names);
  for (int i = 0; i < file.extension_count(); ++i) AddExtension(*file.extension(i), &names);
  return names;
}

// The generated code uses these names without the namespaces in front of them.
bool Hides(const Name& name) {
  static const std::set<std::string> kUsed = {"int32_t",  "int64_t",  "size_t", "std",
                                              "uint32_t", "uint64_t", "uint8_t"};
  return (name.use == Use::kNamespace || name.use == Use::kType) && kUsed.contains(name.text);
}

bool IsMacro(const Name& name) {
  switch (WordOf(name.text)) {
    case Word::kMacro:
    case Word::kGnuMacro:
      return true;
    case Word::kFunctionMacro:
      return name.use == Use::kFunction || name.use == Use::kType;
    default:
      return false;
  }
}

// Returns the name without underscores, with a capital letter after each and after each digit.
std::string CamelCase(const std::string& name) {
  std::string camel;
  bool is_capital = true;
  for (const char c : name) {
    if (c != '_') camel += is_capital && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    is_capital = c == '_' || (c >= '0' && c <= '9');
  }
  return camel;
}

// The names that protoc gives to the members of a message's class. Functions with arguments are
// left out, because they may have the names of others.
class Members {
 public:
  explicit Members(const Descriptor& message) : message_(message) {
    for (const char* name : kMembers) owners_[name] = kProtobuf;
    if (message.file()->options().optimize_for() != FileOptions::LITE_RUNTIME)
      for (const char* name : kMembersOfReflection) owners_[name] = kProtobuf;
    if (message.file()->syntax() == FileDescriptor::SYNTAX_PROTO2)
      owners_["unknown_fields"] = kProtobuf;
    Claim(ClassName(&message), "the constructor", PlaceOf(message));
  }

  void AddTypes(const Descriptor& message);
  void AddOneofs(const Descriptor& message);
  void AddFields(const Descriptor& message);

  // The place and the text of each.
  const std::vector<std::pair<std::string, std::string>>& clashes() const { return clashes_; }

 private:
  void Claim(const std::string& name, const std::string& what, const std::string& place) {
    const auto [owner, is_new] = owners_.emplace(name, what);
    if (is_new) return;
    clashes_.emplace_back(place, what + " and " + owner->second + " would both be " + name +
                                     " in the C++ class of message " + message_.full_name() +
                                     "; rename one of them in a copy of the file");
  }

  const Descriptor& message_;
  std::map<std::string, std::string> owners_;
  std::vector<std::pair<std::string, std::string>> clashes_;
};

void Members::AddTypes(const Descriptor& message) {
  for (int i = 0; i < message.nested_type_count(); ++i) {
    const Descriptor& type = *message.nested_type(i);
    if (!type.options().map_entry())
      Claim(type.name(), "message " + type.full_name(), PlaceOf(type));
  }
  for (int i = 0; i < message.enum_type_count(); ++i) {
    const EnumDescriptor& type = *message.enum_type(i);
    Claim(type.name(), "enum " + type.full_name(), PlaceOf(type));
    for (const char* end : kEnumConstants) Claim(type.name() + end, kProtobuf, PlaceOf(type));
    for (const char* end : kEnumFunctions) Claim(type.name() + end, kProtobuf, PlaceOf(type));
    for (int j = 0; j < type.value_count(); ++j) {
      const auto& value = *type.value(j);
      Claim(EnumValueName(&value), "enum value " + value.full_name(), PlaceOf(value));
    }
  }
}

void Members::AddOneofs(const Descriptor& message) {
  for (int i = 0; i < message.real_oneof_decl_count(); ++i) {
    const auto& oneof = *message.oneof_decl(i);
    const std::string what = "oneof " + oneof.full_name();
    for (const std::string& name :
         {oneof.name() + "_case", "has_" + oneof.name(), CamelCase(oneof.name()) + "Case",
          google::protobuf::ToUpper(oneof.name()) + "_NOT_SET"})
      Claim(name, what, PlaceOf(oneof));
    for (int j = 0; j < oneof.field_count(); ++j)
      Claim(OneofCaseConstantName(oneof.field(j)), what, PlaceOf(oneof));
  }
}

void Members::AddFields(const Descriptor& message) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    const std::string name = FieldName(&field);
    const std::string what = "field " + field.full_name();
    Claim(name, what, PlaceOf(field));
    if (field.has_presence()) Claim("has_" + name, what, PlaceOf(field));
    if (field.is_repeated()) Claim(name + "_size", what, PlaceOf(field));
  }
}

class Checker {
 public:
  explicit Checker(const Options& options) : options_(options) {}

  // Checks a file once, after its imports.
  void Check(const FileDescriptor& file);
  const Findings& findings() const { return findings_; }

 private:
  void CheckName(const Name& name);
  void CheckMembers(const Descriptor& message);

  void Error(const std::string& place, const std::string& text) {
    findings_.errors.push_back(place + ": error: " + text);
  }
  void Warn(const std::string& place, const std::string& text) {
    findings_.warnings.push_back(place + ": warning: " + text);
  }

  const Options& options_;
  std::set<const FileDescriptor*> seen_;
  Findings findings_;
};

void Checker::Check(const FileDescriptor& file) {
  if (file.name().starts_with("google/protobuf/") || !seen_.insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) Check(*file.dependency(i));
  for (const Name& name : NamesIn(file)) CheckName(name);
  for (int i = 0; i < file.message_type_count(); ++i) CheckMembers(*file.message_type(i));
}

void Checker::CheckName(const Name& name) {
  const std::string rename =
      name.use == Use::kNamespace ? "use another package" : "rename it in a copy of the file";
  const std::string undef = "use the parameter macros=undef, or ";
  const std::string quoted = name.what + ": " + name.text;
  const Word word = WordOf(name.text);
  if (word == Word::kKeyword) {
    Error(name.place, quoted + " is a keyword of C++20, which protoc does not rename; " + rename);
  } else if (word == Word::kProtobufMacro) {
    Error(name.place, quoted + " is a macro that protobuf uses; " + rename);
  } else if (Hides(name)) {
    Error(name.place, quoted + " hides a name that the generated code uses; " + rename);
  } else if (options_.macros == Macros::kRefuse && IsMacro(name) && word != Word::kGnuMacro) {
    Error(name.place, quoted + " is a macro of the C library; " + undef + rename);
  } else if (options_.macros == Macros::kRefuse && word == Word::kGnuMacro) {
    Warn(name.place, quoted + " is a macro in -std=gnu++20; " + undef + "compile with -std=c++20");
  } else if (options_.macros != Macros::kAllow && word == Word::kReserved) {
    Warn(name.place, quoted + " may be a macro of the compiler; " + rename);
  }
}

void Checker::CheckMembers(const Descriptor& message) {
  if (message.options().map_entry()) return;
  for (int i = 0; i < message.nested_type_count(); ++i) CheckMembers(*message.nested_type(i));
  Members members(message);
  members.AddTypes(message);
  members.AddOneofs(message);
  members.AddFields(message);
  for (const auto& [place, text] : members.clashes()) Error(place, text);
}

}  // namespace

Findings CheckFiles(const std::vector<const FileDescriptor*>& files, const Options& options) {
  Checker checker(options);
  for (const FileDescriptor* file : files) checker.Check(*file);
  Findings findings = checker.findings();
  for (const FileDescriptor* file : files) {
    const std::string error = CheckNames(*file, options);
    if (!error.empty()) findings.errors.push_back(file->name() + ": error: " + error);
  }
  return findings;
}

std::set<std::string> MacrosIn(const FileDescriptor& file) {
  std::set<std::string> macros;
  for (const Name& name : NamesIn(file)) {
    if (IsMacro(name)) macros.insert(name.text);
  }
  return macros;
}

}  // namespace ttrpc::compiler
