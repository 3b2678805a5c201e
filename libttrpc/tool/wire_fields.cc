// SPDX-License-Identifier: Apache-2.0
#include "wire_fields.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <bit>
#include <limits>

namespace ttrpc::tool {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

namespace {

CodedInputStream StreamOf(std::string_view bytes) {
  return CodedInputStream(reinterpret_cast<const uint8_t*>(bytes.data()),
                          static_cast<int>(bytes.size()));
}

bool ReadNumber(CodedInputStream* in, WireField* field) {
  uint32_t fixed32 = 0;
  switch (field->type) {
    case WireFormatLite::WIRETYPE_VARINT:
      return in->ReadVarint64(&field->value);
    case WireFormatLite::WIRETYPE_FIXED64:
      return in->ReadLittleEndian64(&field->value);
    case WireFormatLite::WIRETYPE_FIXED32:
      if (!in->ReadLittleEndian32(&fixed32)) return false;
      field->value = fixed32;
      return true;
    default:
      return false;
  }
}

bool ReadDelimited(CodedInputStream* in, std::string_view message, WireField* field) {
  int size = 0;
  if (!in->ReadVarintSizeAsInt(&size)) return false;
  const auto begin = static_cast<size_t>(in->CurrentPosition());
  field->bytes = message.substr(begin, static_cast<size_t>(size));
  return in->Skip(size);
}

// Skips nested groups without recursion, so that their depth has no limit.
bool ReadGroup(CodedInputStream* in, std::string_view message, WireField* field) {
  const auto begin = static_cast<size_t>(in->CurrentPosition());
  std::vector<int> open = {field->number};
  size_t end = begin;
  while (!open.empty()) {
    end = static_cast<size_t>(in->CurrentPosition());
    const uint32_t tag = in->ReadTag();
    const int number = WireFormatLite::GetTagFieldNumber(tag);
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_START_GROUP:
        if (number == 0) return false;
        open.push_back(number);
        break;
      case WireFormatLite::WIRETYPE_END_GROUP:
        if (number != open.back()) return false;
        open.pop_back();
        break;
      default:
        if (!WireFormatLite::SkipField(in, tag)) return false;
    }
  }
  field->bytes = message.substr(begin, end - begin);
  return true;
}

bool ReadField(CodedInputStream* in, std::string_view message, WireField* field) {
  const uint32_t tag = in->ReadTag();
  field->number = WireFormatLite::GetTagFieldNumber(tag);
  field->type = WireFormatLite::GetTagWireType(tag);
  if (field->number == 0) return false;
  switch (field->type) {
    case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
      return ReadDelimited(in, message, field);
    case WireFormatLite::WIRETYPE_START_GROUP:
      return ReadGroup(in, message, field);
    default:
      return ReadNumber(in, field);
  }
}

WireType WireTypeOf(const FieldDescriptor& field) {
  return WireFormatLite::WireTypeForFieldType(static_cast<WireFormatLite::FieldType>(field.type()));
}

// Protobuf's parsers also ignore fields that the type does not have or that have another wire type.
bool IsKnown(const Descriptor& type, const WireField& value) {
  const FieldDescriptor* field = type.FindFieldByNumber(value.number);
  if (field == nullptr) return false;
  return value.type == WireTypeOf(*field) || (IsPacked(*field, value) && !value.bytes.empty());
}

// Each value of a oneof replaces the values of its other fields that precede it.
void DropReplaced(const Descriptor& type, std::vector<WireField>* fields) {
  struct Oneof {
    int number = 0;         // the field that was set last
    bool replaced = false;  // another field was set before it
  };
  std::vector<Oneof> oneofs(static_cast<size_t>(type.real_oneof_decl_count()));
  if (oneofs.empty()) return;
  const auto is_replaced = [&](const WireField& value) {
    const auto* oneof = type.FindFieldByNumber(value.number)->real_containing_oneof();
    if (oneof == nullptr) return false;
    auto& [number, replaced] = oneofs[static_cast<size_t>(oneof->index())];
    if (number == 0) number = value.number;
    replaced = replaced || number != value.number;
    return replaced;
  };
  const auto kept = std::remove_if(fields->rbegin(), fields->rend(), is_replaced);
  fields->erase(fields->begin(), kept.base());
}

uint64_t DefaultNumber(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return field.type() == FieldDescriptor::TYPE_SINT32
                 ? WireFormatLite::ZigZagEncode32(field.default_value_int32())
                 : static_cast<uint64_t>(field.default_value_int32());
    case FieldDescriptor::CPPTYPE_INT64:
      return field.type() == FieldDescriptor::TYPE_SINT64
                 ? WireFormatLite::ZigZagEncode64(field.default_value_int64())
                 : static_cast<uint64_t>(field.default_value_int64());
    case FieldDescriptor::CPPTYPE_UINT32:
      return field.default_value_uint32();
    case FieldDescriptor::CPPTYPE_UINT64:
      return field.default_value_uint64();
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return std::bit_cast<uint64_t>(field.default_value_double());
    case FieldDescriptor::CPPTYPE_FLOAT:
      return std::bit_cast<uint32_t>(field.default_value_float());
    case FieldDescriptor::CPPTYPE_BOOL:
      return field.default_value_bool() ? 1 : 0;
    case FieldDescriptor::CPPTYPE_ENUM:
      return static_cast<uint64_t>(field.default_value_enum()->number());
    default:
      return 0;
  }
}

}  // namespace

std::optional<std::vector<WireField>> ReadFields(std::string_view bytes) {
  std::vector<WireField> fields;
  if (bytes.size() > std::numeric_limits<int>::max()) return std::nullopt;
  CodedInputStream in = StreamOf(bytes);
  for (size_t begin = 0; begin < bytes.size();) {
    WireField& field = fields.emplace_back();
    if (!ReadField(&in, bytes, &field)) return std::nullopt;
    const auto end = static_cast<size_t>(in.CurrentPosition());
    field.encoded = bytes.substr(begin, end - begin);
    begin = end;
  }
  return fields;
}

std::optional<std::vector<WireField>> ReadFieldsOf(const Descriptor& type, std::string_view bytes) {
  std::optional<std::vector<WireField>> fields = ReadFields(bytes);
  if (!fields) return std::nullopt;
  std::erase_if(*fields, [&type](const WireField& value) { return !IsKnown(type, value); });
  DropReplaced(type, &*fields);
  std::ranges::stable_sort(*fields, {}, &WireField::number);
  return fields;
}

std::span<const WireField> ValuesOf(const FieldDescriptor& field,
                                    const std::vector<WireField>& sorted) {
  const auto begin = std::ranges::lower_bound(sorted, field.number(), {}, &WireField::number);
  const auto end = std::ranges::upper_bound(sorted, field.number(), {}, &WireField::number);
  return {begin, end};
}

std::string Merged(std::span<const WireField> values) {
  std::string merged;
  for (const WireField& value : values) merged += value.bytes;
  return merged;
}

std::string Encoded(std::span<const WireField> values) {
  std::string encoded;
  for (const WireField& value : values) encoded += value.encoded;
  return encoded;
}

WireField DefaultOf(const FieldDescriptor& field) {
  WireField value = {.number = field.number(), .type = WireTypeOf(field)};
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    value.bytes = field.default_value_string();
  } else {
    value.value = DefaultNumber(field);
  }
  return value;
}

bool IsPacked(const FieldDescriptor& field, const WireField& value) {
  return field.is_packable() && value.type == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
}

std::optional<WireField> TakePacked(const FieldDescriptor& field, std::string_view* packed) {
  CodedInputStream in = StreamOf(*packed);
  WireField value = {.number = field.number(), .type = WireTypeOf(field)};
  if (!ReadNumber(&in, &value)) return std::nullopt;
  packed->remove_prefix(static_cast<size_t>(in.CurrentPosition()));
  return value;
}

}  // namespace ttrpc::tool
