// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/field_scanner.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/common.h>

#include <algorithm>
#include <limits>

namespace ttrpc {

namespace {
constexpr const char* kTruncated = "truncated field";
constexpr const char* kBadVarint = "truncated or over-long varint";
// Tags and lengths have 32 bits. protobuf's own parser accepts no more bytes for them, not even
// zeros.
constexpr size_t kMaxShortVarint = 5;
// Nine bytes carry 63 bits, so the tenth holds only the last bit. protobuf's C++ parser ignores the
// other bits of the tenth; Go's and Rust's parsers refuse them.
constexpr size_t kMaxVarint = 10;
constexpr uint8_t kMaxTenthByte = 1;
}  // namespace

bool FieldScanner::Next(Field* field) {
  if (rest_.empty()) return false;

  // The tag is read as 64 bits, because truncated to 32 it could look like another field number.
  uint64_t tag = 0;
  if (!ReadShortVarint(&tag)) return Fail(kBadVarint);
  if (tag > std::numeric_limits<uint32_t>::max()) return Fail("field number out of range");
  field->number = static_cast<uint32_t>(tag >> 3);
  if (field->number == 0) return Fail("field number 0");

  switch (tag & 7) {
    case 0:
      field->wire_type = WireType::kVarint;
      return ReadVarint(&field->varint) || Fail(kBadVarint);
    case 1:
      field->wire_type = WireType::kFixed64;
      return Skip(8);
    case 2:
      field->wire_type = WireType::kBytes;
      return ReadBytes(&field->bytes);
    case 5:
      field->wire_type = WireType::kFixed32;
      return Skip(4);
    case 3:
    case 4:
      return Fail("group");
    default:
      return Fail("invalid wire type");
  }
}

bool FieldScanner::ReadLongVarint(uint64_t* value) {
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(rest_.data()),
                                               static_cast<int>(rest_.size()));
  if (!input.ReadVarint64(value)) return false;
  const auto length = static_cast<size_t>(input.CurrentPosition());
  if (length == kMaxVarint && static_cast<uint8_t>(rest_[length - 1]) > kMaxTenthByte) return false;
  rest_.remove_prefix(length);
  return true;
}

bool FieldScanner::ReadShortVarint(uint64_t* value) {
  const size_t before = rest_.size();
  return ReadVarint(value) && before - rest_.size() <= kMaxShortVarint;
}

bool FieldScanner::ReadBytes(std::string_view* bytes) {
  uint64_t length = 0;
  if (!ReadShortVarint(&length)) return Fail(kBadVarint);
  *bytes = rest_.substr(0, length);
  return Skip(length);
}

bool FieldScanner::Skip(size_t n) {
  if (n > rest_.size()) return Fail(kTruncated);
  rest_.remove_prefix(n);
  return true;
}

bool IsUtf8(std::string_view text) {
  // Nearly every string is ASCII.
  if (std::all_of(text.begin(), text.end(),
                  [](char c) { return static_cast<signed char>(c) >= 0; }))
    return true;
  return google::protobuf::internal::IsStructurallyValidUTF8(text.data(),
                                                             static_cast<int>(text.size()));
}

}  // namespace ttrpc
