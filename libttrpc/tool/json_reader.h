// SPDX-License-Identifier: Apache-2.0
//
// JsonReader: encodes JSON as a message. Protobuf's parser does most of it. This class encodes the
// contents of each Any before, and refuses what that parser drops silently or takes too long for.
// No I/O; one thread.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>

#include "json_path.h"
#include "ttrpc/status.h"
#include "type_finder.h"

namespace ttrpc::tool {

class JsonReader {
 public:
  // `types` must outlive the reader, which reads one message. `allow_unknown_fields` ignores fields
  // and values of enums that the schema does not have.
  explicit JsonReader(TypeFinder* types, bool allow_unknown_fields = false)
      : types_(types), allow_unknown_fields_(allow_unknown_fields) {}

  // Returns INVALID_ARGUMENT if the text is not JSON, or does not fit the type.
  Result<std::string> ToBytes(const google::protobuf::Descriptor& type, std::string_view json);

 private:
  class Rewriter;

  Result<std::string> Encode(const google::protobuf::Descriptor& type, std::string_view json);
  Result<std::string> Parse(const google::protobuf::Descriptor& type, std::string_view json) const;

  TypeFinder* types_;
  const bool allow_unknown_fields_;
  JsonPath path_;
};

}  // namespace ttrpc::tool
