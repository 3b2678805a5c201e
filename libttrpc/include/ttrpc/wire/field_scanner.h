// SPDX-License-Identifier: Apache-2.0
//
// FieldScanner: iterates over the fields of one protobuf message in place. It knows only the wire
// format; its caller decides what a field means and whether it is allowed. No I/O; any thread.
//
// This header is for programs that read and write messages themselves, such as proxies. It may
// change in any release.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ttrpc {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  uint32_t number = 0;
  WireType wire_type = WireType::kVarint;
  uint64_t varint = 0;     // kVarint only
  std::string_view bytes;  // kBytes only; points into the scanned data
};

class FieldScanner {
 public:
  // `data` must outlive the scanner and every Field that it returns. At most INT_MAX bytes.
  explicit FieldScanner(std::string_view data)
      : at_(reinterpret_cast<const uint8_t*>(data.data())), end_(at_ + data.size()) {}

  // Sets `field` to the next field and returns true. Returns false at the end (error() is null) and
  // at bytes that are not a protobuf message.
  bool Next(Field* field) {
    // Nearly every field has bytes, fewer than 128 of them, and a number below 16.
    constexpr uint8_t kLongOrOtherType = 0x80 | 7;
    constexpr uint8_t kBytes = static_cast<uint8_t>(WireType::kBytes);
    if (left() < 2 || (at_[0] & kLongOrOtherType) != kBytes || at_[0] == kBytes ||
        at_[1] > std::min<size_t>(left() - 2, 0x7f)) {
      return NextOfAnyKind(field);
    }
    field->number = at_[0] >> 3;
    field->wire_type = WireType::kBytes;
    field->bytes = {reinterpret_cast<const char*>(at_) + 2, at_[1]};
    at_ += 2 + at_[1];
    return true;
  }

  // Returns what is wrong with the bytes, without quoting them; null if nothing is.
  const char* error() const { return error_; }

 private:
  bool Fail(const char* error) {
    error_ = error;
    return false;
  }

  size_t left() const { return static_cast<size_t>(end_ - at_); }
  bool NextOfAnyKind(Field* field);
  bool ReadVarint(uint64_t* value);
  bool ReadLongVarint(uint64_t* value);
  bool ReadShortVarint(uint64_t* value);
  bool Skip(size_t n);

  const uint8_t* at_;
  const uint8_t* end_;
  const char* error_ = nullptr;
};

// Returns whether a text is valid UTF-8, as protobuf demands it of a string.
bool IsUtf8(std::string_view text);

}  // namespace ttrpc
