// SPDX-License-Identifier: Apache-2.0
#include "json_codec.h"

#include "invalid.h"
#include "json_printer.h"
#include "json_reader.h"

namespace ttrpc::tool {

using google::protobuf::Any;
using google::protobuf::Descriptor;

Result<std::string> JsonCodec::ToBytes(const Descriptor& type, std::string_view json) {
  return JsonReader(&types_, allow_unknown_fields_).ToBytes(type, json);
}

Result<std::string> JsonCodec::ToJson(const Descriptor& type, std::string_view bytes,
                                      std::vector<std::string>* problems) {
  JsonPrinter printer(types_, style_);
  if (!printer.Print(type, bytes)) return Invalid("not a message of type " + type.full_name());
  if (problems != nullptr) *problems = printer.TakeProblems();
  return printer.TakeText() + "\n";
}

std::string JsonCodec::AnyToJson(const Any& any) {
  JsonStyle style = style_;
  style.compact = true;
  JsonPrinter printer(types_, style);
  printer.PrintAny(any.type_url(), any.value());
  return printer.TakeText();
}

}  // namespace ttrpc::tool
