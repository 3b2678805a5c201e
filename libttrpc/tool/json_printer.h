// SPDX-License-Identifier: Apache-2.0
//
// JsonPrinter: prints the bytes of a message as JSON, in protobuf's own mapping. A value that has
// no JSON form is marked, and everything else is printed. No I/O; one thread.
#pragma once

#include <google/protobuf/descriptor.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json_path.h"
#include "json_writer.h"
#include "type_finder.h"
#include "wire_fields.h"

namespace ttrpc::tool {

class JsonPrinter {
 public:
  // `types` must outlive the printer, which prints one message.
  JsonPrinter(const TypeFinder& types, JsonStyle style)
      : types_(types), style_(style), out_(style.compact) {}

  // Returns false and prints nothing if `bytes` are not a message. A value without a JSON form is
  // printed as {"@invalid": WHY, "@value": its bytes in base64}. For an Any, these are its
  // contents; for a list or a map, its elements with their tags. An entry of a map whose key has no
  // JSON form is marked as a whole, under a key that no other entry has.
  bool Print(const google::protobuf::Descriptor& type, std::string_view bytes);
  void PrintAny(std::string_view url, std::string_view contents);

  std::string TakeText() { return out_.Take(); }
  // Returns `PATH: WHY` for each marked value, up to a limit. The last line counts the others.
  std::vector<std::string> TakeProblems();

 private:
  using Descriptor = google::protobuf::Descriptor;
  using FieldDescriptor = google::protobuf::FieldDescriptor;
  using Values = std::span<const WireField>;

  // Each of these returns false and prints nothing if the bytes are not a message.
  bool Object(const Descriptor& type, std::string_view bytes);
  bool Any(std::string_view bytes);
  template <typename Time>
  bool TimeValue(std::string_view bytes);
  bool FieldMask(std::string_view bytes);
  // Prints a type whose JSON is that of its only field: a wrapper, Struct or ListValue.
  bool OnlyField(const Descriptor& type, std::string_view bytes);
  bool Value(std::string_view bytes);

  // Prints a nested message, or marks it.
  void Nested(const Descriptor& type, std::string_view bytes);
  // Print the members of an object, without its brackets.
  void Members(const Descriptor& type, const std::vector<WireField>& fields);
  void AnyMembers(std::string_view url, std::string_view contents);
  // `values` are all the values that the message has for the field.
  void Member(const FieldDescriptor& field, Values values);
  void Field(const FieldDescriptor& field, Values values);
  void List(const FieldDescriptor& field, Values values);
  void Map(const FieldDescriptor& field, Values values);
  void One(const FieldDescriptor& field, const WireField& value);
  void Enum(const google::protobuf::EnumDescriptor& type, int number);

  void TooDeep(std::string_view bytes);
  void Invalid(const std::string& why, std::string_view bytes);

  const TypeFinder& types_;
  const JsonStyle style_;
  JsonWriter out_;
  JsonPath path_;
  std::vector<std::string> problems_;
  size_t more_problems_ = 0;
};

}  // namespace ttrpc::tool
