// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/field_scanner.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/common.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>

namespace ttrpc {

namespace {
constexpr const char* kTruncated = "truncated field";
constexpr const char* kBadVarint = "truncated or over-long varint";
// Tags and lengths have 32 bits. protobuf's own parser accepts no more bytes for them, not even
// zeros.
constexpr ptrdiff_t kMaxShortVarint = 5;
// Nine bytes carry 63 bits, so the tenth holds only the last bit. protobuf's C++ parser ignores the
// other bits of the tenth; Go's and Rust's parsers refuse them.
constexpr size_t kMaxVarint = 10;
constexpr uint8_t kMaxTenthByte = 1;
}  // namespace

bool FieldScanner::NextOfAnyKind(Field* field) {
  if (at_ == end_) return false;

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
    case 2: {
      field->wire_type = WireType::kBytes;
      uint64_t length = 0;
      if (!ReadShortVarint(&length)) return Fail(kBadVarint);
      field->bytes = {reinterpret_cast<const char*>(at_), std::min<size_t>(length, left())};
      return Skip(length);
    }
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

// Nearly every varint is one byte.
bool FieldScanner::ReadVarint(uint64_t* value) {
  if (at_ == end_ || *at_ >= 0x80) return ReadLongVarint(value);
  *value = *at_++;
  return true;
}

bool FieldScanner::ReadLongVarint(uint64_t* value) {
  google::protobuf::io::CodedInputStream input(at_, static_cast<int>(left()));
  if (!input.ReadVarint64(value)) return false;
  const auto length = static_cast<size_t>(input.CurrentPosition());
  if (length == kMaxVarint && at_[length - 1] > kMaxTenthByte) return false;
  at_ += length;
  return true;
}

bool FieldScanner::ReadShortVarint(uint64_t* value) {
  const uint8_t* const before = at_;
  return ReadVarint(value) && at_ - before <= kMaxShortVarint;
}

bool FieldScanner::Skip(size_t n) {
  if (n > left()) return Fail(kTruncated);
  at_ += n;
  return true;
}

namespace {

// Looks at eight bytes at a time, the last of them twice.
bool IsAscii(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080'8080'8080'8080;
  uint64_t all = 0;
  uint64_t word = 0;
  if (text.empty()) return true;
  if (text.size() < sizeof(word)) {
    std::memcpy(&word, text.data(), text.size());
    return (word & kHighBits) == 0;
  }
  const char* const last = text.data() + text.size() - sizeof(word);
  for (const char* at = text.data(); at < last; at += sizeof(word)) {
    std::memcpy(&word, at, sizeof(word));
    all |= word;
  }
  std::memcpy(&word, last, sizeof(word));
  return ((all | word) & kHighBits) == 0;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  // Nearly every string is ASCII.
  return IsAscii(text) || google::protobuf::internal::IsStructurallyValidUTF8(
                              text.data(), static_cast<int>(text.size()));
}

}  // namespace ttrpc
