// SPDX-License-Identifier: Apache-2.0
//
// JsonCodec: messages between their bytes and JSON, by descriptors alone. JSON is protobuf's own
// mapping of it. No I/O; one thread.
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
  bool proto_names = false;  // field_name rather than fieldName
  bool defaults = false;     // fields, too, that have their default value
  bool compact = false;      // a message is one line
};

class JsonCodec {
 public:
  // `pool` must outlive it. Null: only protobuf's own types are known, and
  // ErrorDetailTypes().
  JsonCodec(const google::protobuf::DescriptorPool* pool, JsonStyle style);
  ~JsonCodec();
  JsonCodec(const JsonCodec&) = delete;
  JsonCodec& operator=(const JsonCodec&) = delete;

  // INVALID_ARGUMENT: it is no JSON, or none of this message.
  Result<std::string> ToBytes(const google::protobuf::Descriptor& type, std::string_view json);

  // INVALID_ARGUMENT: the bytes are no message of this type. JSON ends in a newline. An Any in it,
  // whatever comes before the last slash of its URL, is decoded if its type is known; else its
  // bytes stand, in base64, in its `@value`.
  Result<std::string> ToJson(const google::protobuf::Descriptor& type, const std::string& bytes);

  // The same of what an Any holds, on one line and without the newline. Never fails: what is not as
  // its type would have it is shown as if the type were not known.
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
