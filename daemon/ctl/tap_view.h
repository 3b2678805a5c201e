// SPDX-License-Identifier: Apache-2.0
//
// Events of a tap as they are shown: lines for people, JSON for programs, with their payloads as
// JSON where a schema has their type. Reads no files; one thread.
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
  // `schema`, which may be null, must outlive it.
  TapView(const ttrpc::tool::Schema* schema, bool colours);

  // A line, and those of its payload, indented.
  std::string Text(const ttrpc::proxy::v1::TapEvent& event);
  // One line. A payload that is known is also a `message`, as an object.
  std::string Json(const ttrpc::proxy::v1::TapEvent& event);

 private:
  // Empty: it is not known.
  std::string Decoded(const ttrpc::proxy::v1::TapEvent& event);

  const ttrpc::tool::Schema* schema_;
  const bool colours_;
  ttrpc::tool::JsonCodec codec_;
};

// 16 bytes a line: where, in hexadecimal, and as text.
std::string HexDump(std::string_view bytes, std::string_view indent);

}  // namespace proxyd::ctl
