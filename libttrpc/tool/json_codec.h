// SPDX-License-Identifier: Apache-2.0
//
// JsonCodec: converts messages between bytes and JSON, using only descriptors. The JSON is
// protobuf's own mapping. No I/O; one thread.
#pragma once

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <vector>

#include "json_writer.h"
#include "ttrpc/status.h"
#include "type_finder.h"

namespace ttrpc::tool {

class JsonCodec {
 public:
  // `pool` must outlive the codec. If it is null, only protobuf's own types and ErrorDetailTypes()
  // are known. `allow_unknown_fields` ignores fields and values of enums in the input that the
  // schema does not have.
  JsonCodec(const google::protobuf::DescriptorPool* pool, JsonStyle style,
            bool allow_unknown_fields = false)
      : types_(pool), style_(style), allow_unknown_fields_(allow_unknown_fields) {}
  JsonCodec(const JsonCodec&) = delete;
  JsonCodec& operator=(const JsonCodec&) = delete;

  // Reads each JSON that ToJson() prints without problems: an Any may have its contents as fields,
  // or as bytes in `@value`. Returns INVALID_ARGUMENT if the text is not JSON, does not fit the
  // type, or is nested too deeply.
  Result<std::string> ToBytes(const google::protobuf::Descriptor& type, std::string_view json);

  // Returns JSON that ends in a newline. An Any is decoded if its type is known, whatever precedes
  // the last slash of its URL; otherwise its bytes are in `@value`, in base64. A value that has no
  // JSON form is replaced by {"@invalid": WHY, "@value": its bytes}, and `problems`, if it is not
  // null, receives `PATH: WHY`. Returns INVALID_ARGUMENT if the bytes are not a message.
  Result<std::string> ToJson(const google::protobuf::Descriptor& type, std::string_view bytes,
                             std::vector<std::string>* problems = nullptr);

  // Returns the contents of an Any as JSON on one line, without a newline. Never fails: contents
  // that do not match their type are shown as if the type were unknown.
  std::string AnyToJson(const google::protobuf::Any& any);

 private:
  TypeFinder types_;
  const JsonStyle style_;
  const bool allow_unknown_fields_;
};

}  // namespace ttrpc::tool
