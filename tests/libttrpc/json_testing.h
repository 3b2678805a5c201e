// SPDX-License-Identifier: Apache-2.0
//
// A codec for the messages of values.proto, and functions that write bytes which no encoder writes.
#pragma once

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "json_codec.h"
#include "tool_testing.h"

namespace ttrpc::tool {

// Returns a length-delimited field. The number and the length must be below 16 and 128.
inline std::string Delimited(int number, std::string_view bytes) {
  std::string field = {static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())};
  return field.append(bytes);
}

inline std::string AnyBytes(std::string_view url, std::string_view contents) {
  google::protobuf::Any any;
  any.set_type_url(std::string(url));
  any.set_value(std::string(contents));
  return any.SerializeAsString();
}

class JsonTest : public SchemaTest {
 protected:
  JsonTest()
      : schema_(Load({.protos = {folder_.Write(
                          "values.proto", test::ReadFile(TTRPC_TEST_PROTOS "/values.proto"))}})) {}

  const google::protobuf::Descriptor& Type(const std::string& name) const {
    return *schema_->pool().FindMessageTypeByName("values." + name);
  }
  std::string ToJson(const std::string& type, std::string_view bytes,
                     JsonStyle style = {.compact = true}) {
    JsonCodec codec(&schema_->pool(), style);
    Result<std::string> json = codec.ToJson(Type(type), std::string(bytes), &problems_);
    if (!json) return json.error().ToString();
    if (style.compact) json->pop_back();  // the newline
    return *json;
  }
  std::string ToBytes(const std::string& type, std::string_view json) const {
    JsonCodec codec(&schema_->pool(), {});
    const Result<std::string> bytes = codec.ToBytes(Type(type), json);
    return bytes ? *bytes : bytes.error().ToString();
  }
  // Converts JSON to bytes and back.
  std::string RoundTrip(const std::string& type, const std::string& json) {
    const std::string bytes = ToBytes(type, json);
    return bytes.starts_with("INVALID_ARGUMENT: ") ? bytes : ToJson(type, bytes);
  }

  std::unique_ptr<Schema> schema_;
  std::vector<std::string> problems_;  // in the message that was printed last
};

}  // namespace ttrpc::tool
