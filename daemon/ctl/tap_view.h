// SPDX-License-Identifier: Apache-2.0
//
// TapView: formats tap events as text or as JSON. Payloads whose type the schema has are decoded.
// It reads no files and belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "admin/admin.pb.h"
#include "tool/json_codec.h"
#include "tool/schema.h"

namespace proxyd::ctl {

class TapView {
 public:
  // `schema` may be null. It must outlive this object.
  TapView(const ttrpc::tool::Schema* schema, bool colours);

  // Returns a line, followed by the payload on indented lines.
  std::string Text(const ttrpc::proxy::v1::TapEvent& event);
  // Returns one line. A payload that can be decoded is also there as an object named `message`.
  std::string Json(const ttrpc::proxy::v1::TapEvent& event);

 private:
  // Returns the payload as JSON, or an empty text if its type is not known or it was cut.
  std::string Decoded(const ttrpc::proxy::v1::TapEvent& event);

  const ttrpc::tool::Schema* schema_;
  const bool colours_;
  ttrpc::tool::JsonCodec codec_;
};

// Returns a line for each 16 bytes: their offset, their values in hexadecimal, and ASCII text.
std::string HexDump(std::string_view bytes, std::string_view indent);

}  // namespace proxyd::ctl
