// SPDX-License-Identifier: Apache-2.0
//
// FieldScanner: the fields of one protobuf message, one after another, in place. Private to the
// envelopes. It knows the wire format only; what a field means, and whether it may be there, is its
// caller's.
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
  // `data` must outlive the scanner and every Field it gives. At most INT_MAX bytes.
  explicit FieldScanner(std::string_view data) : rest_(data) {}

  // True: `field` is the next one. False: the end (error() is null) or bytes that are no protobuf
  // message.
  bool Next(Field* field);

  // What is wrong with the bytes, in words that hold nothing of them; null while nothing is.
  const char* error() const { return error_; }

 private:
  bool Fail(const char* error) {
    error_ = error;
    return false;
  }

  // One byte, as nearly every tag and length is, needs no parser.
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

}  // namespace ttrpc
