// SPDX-License-Identifier: Apache-2.0
//
// JsonCodec: converts messages between bytes and JSON, using only descriptors. The JSON is
// protobuf's own mapping. No I/O; one thread.
#pragma once

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>

#include <memory>
#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc::tool {

struct JsonStyle {
  bool proto_names = false;  // field_name instead of fieldName
  bool defaults = false;     // include fields that have their default value
  bool compact = false;      // each message on one line
  // Ignore fields and values of enums in the input that the schema does not have.
  bool allow_unknown_fields = false;
};

class JsonCodec {
 public:
  // `pool` must outlive the codec. If it is null, only protobuf's own types and ErrorDetailTypes()
  // are known.
  JsonCodec(const google::protobuf::DescriptorPool* pool, JsonStyle style);
  ~JsonCodec();
  JsonCodec(const JsonCodec&) = delete;
  JsonCodec& operator=(const JsonCodec&) = delete;

  // Returns INVALID_ARGUMENT if the text is not JSON or does not fit the type.
  Result<std::string> ToBytes(const google::protobuf::Descriptor& type, std::string_view json);

  // Returns JSON that ends in a newline. An Any is decoded if its type is known, whatever precedes
  // the last slash of its URL; otherwise its bytes are in `@value`, in base64. Returns
  // INVALID_ARGUMENT if the bytes are not a message of this type.
  Result<std::string> ToJson(const google::protobuf::Descriptor& type, const std::string& bytes);

  // Returns the contents of an Any as JSON on one line, without a newline. Never fails: contents
  // that do not match their type are shown as if the type were unknown.
  std::string AnyToJson(const google::protobuf::Any& any);

 private:
  class Resolver;

  Result<std::string> Print(const google::protobuf::Message& message,
                            const google::protobuf::util::JsonPrintOptions& options);
  bool MakeAnysPrintable(google::protobuf::Message* message, int depth);
  void MakeAnyPrintable(google::protobuf::Message* any, int depth);
  void Hide(google::protobuf::Message* any);

  JsonStyle style_;
  std::unique_ptr<Resolver> resolver_;
  google::protobuf::DynamicMessageFactory factory_;
};

}  // namespace ttrpc::tool
