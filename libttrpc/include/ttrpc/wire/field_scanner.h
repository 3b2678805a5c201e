// SPDX-License-Identifier: Apache-2.0
//
// FieldScanner: iterates over the fields of one protobuf message in place. It knows only the wire
// format; its caller decides what a field means and whether it is allowed. No I/O; any thread.
//
// This header is for programs that read and write messages themselves, such as proxies. It may
// change in any release.
#pragma once

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
  explicit FieldScanner(std::string_view data) : rest_(data) {}

  // Sets `field` to the next field and returns true. Returns false at the end (error() is null) and
  // at bytes that are not a protobuf message.
  bool Next(Field* field);

  // Returns what is wrong with the bytes, without quoting them; null if nothing is.
  const char* error() const { return error_; }

 private:
  bool Fail(const char* error) {
    error_ = error;
    return false;
  }

  // Fast path: nearly every tag and length is one byte.
  bool ReadVarint(uint64_t* value) {
    if (!rest_.empty() && static_cast<signed char>(rest_.front()) >= 0) {
      *value = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      return true;
    }
    return ReadLongVarint(value);
  }
  bool ReadLongVarint(uint64_t* value);
  bool ReadShortVarint(uint64_t* value);
  bool ReadBytes(std::string_view* bytes);
  bool Skip(size_t n);

  std::string_view rest_;
  const char* error_ = nullptr;
};

// Returns whether a text is valid UTF-8, as protobuf demands it of a string.
bool IsUtf8(std::string_view text);

}  // namespace ttrpc
