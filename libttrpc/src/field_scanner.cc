// SPDX-License-Identifier: Apache-2.0
#include "field_scanner.h"

#include <limits>

namespace ttrpc {

namespace {
constexpr const char* kTruncated = "truncated field";
constexpr const char* kBadVarint = "truncated or over-long varint";
}  // namespace

bool FieldScanner::Next(Field* field) {
  if (input_.CurrentPosition() == static_cast<int>(data_.size())) return false;

  // Not ReadTag(), which cuts a tag to 32 bits and so would take some numbers for others.
  uint64_t tag = 0;
  if (!input_.ReadVarint64(&tag)) return Fail(kBadVarint);
  if (tag > std::numeric_limits<uint32_t>::max()) return Fail("field number out of range");
  field->number = static_cast<uint32_t>(tag >> 3);
  if (field->number == 0) return Fail("field number 0");

  switch (tag & 7) {
    case 0:
      field->wire_type = WireType::kVarint;
      return input_.ReadVarint64(&field->varint) || Fail(kBadVarint);
    case 1:
      field->wire_type = WireType::kFixed64;
      return input_.Skip(8) || Fail(kTruncated);
    case 2:
      field->wire_type = WireType::kBytes;
      return ReadBytes(&field->bytes);
    case 5:
      field->wire_type = WireType::kFixed32;
      return input_.Skip(4) || Fail(kTruncated);
    case 3:
    case 4:
      return Fail("group");
    default:
      return Fail("invalid wire type");
  }
}

bool FieldScanner::ReadBytes(std::string_view* bytes) {
  uint64_t length = 0;
  if (!input_.ReadVarint64(&length)) return Fail(kBadVarint);
  const auto begin = static_cast<size_t>(input_.CurrentPosition());
  if (length > data_.size() - begin) return Fail(kTruncated);
  *bytes = data_.substr(begin, length);
  return input_.Skip(static_cast<int>(length)) || Fail(kTruncated);
}

}  // namespace ttrpc
