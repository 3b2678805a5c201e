// SPDX-License-Identifier: Apache-2.0
//
// Reads the fields of a message in place. Unlike protobuf's own parser it stops at nested messages,
// so that a broken one does not make the others unreadable. Pure; any thread.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ttrpc::tool {

using WireType = google::protobuf::internal::WireFormatLite::WireType;

struct WireField {
  int number = 0;
  WireType type = WireType::WIRETYPE_VARINT;
  uint64_t value = 0;           // a varint or a fixed number
  std::string_view bytes = {};  // a length-delimited value or the fields of a group
  // Everything from the tag to the end of the value. Empty for DefaultOf() and TakePacked().
  std::string_view encoded = {};
};

// Returns none if `bytes` are not a message. The result points into `bytes`.
std::optional<std::vector<WireField>> ReadFields(std::string_view bytes);

// Like ReadFields(), but returns only the fields that count for a message of this type, sorted by
// their numbers. Fields with another wire type than the schema's do not count, nor does a value of
// a oneof that another one replaces.
std::optional<std::vector<WireField>> ReadFieldsOf(const google::protobuf::Descriptor& type,
                                                   std::string_view bytes);

// Returns the values of one field. The result points into `sorted`.
std::span<const WireField> ValuesOf(const google::protobuf::FieldDescriptor& field,
                                    const std::vector<WireField>& sorted);

// Returns the bytes of all values. For a message, these are the bytes of the merged message.
std::string Merged(std::span<const WireField> values);

// Returns the bytes of a message that has only these values, each with its tag.
std::string Encoded(std::span<const WireField> values);

// Returns the default value. It points into the descriptor.
WireField DefaultOf(const google::protobuf::FieldDescriptor& field);

// Returns true if `value` holds any number of values of a repeated field.
bool IsPacked(const google::protobuf::FieldDescriptor& field, const WireField& value);

// Removes the first value from a packed field. Returns none if it is incomplete.
std::optional<WireField> TakePacked(const google::protobuf::FieldDescriptor& field,
                                    std::string_view* packed);

}  // namespace ttrpc::tool
