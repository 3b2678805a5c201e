// SPDX-License-Identifier: Apache-2.0
//
// The one writer of wire data in the tests: message headers and the fields of protobuf messages,
// byte by byte. It uses nothing of libttrpc's codec and envelopes, so that a mistake there does not
// cancel out in its tests, and so that a benchmark does not measure itself. Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ttrpc/wire/message.h"

namespace test {

inline constexpr size_t kHeaderLength = 10;

// The wire types of protobuf.
inline constexpr uint32_t kWireVarint = 0;
inline constexpr uint32_t kWireFixed64 = 1;
inline constexpr uint32_t kWireBytes = 2;
inline constexpr uint32_t kWireGroupStart = 3;
inline constexpr uint32_t kWireGroupEnd = 4;
inline constexpr uint32_t kWireFixed32 = 5;

inline void AppendBigEndian32(uint32_t value, std::string* out) {
  const char bytes[] = {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
                        static_cast<char>(value >> 8), static_cast<char>(value)};
  out->append(bytes, sizeof bytes);
}

// `type` may be any byte, and `length` may lie about what follows.
inline void AppendHeader(uint32_t length, uint32_t stream_id, uint8_t type, uint8_t flags,
                         std::string* out) {
  AppendBigEndian32(length, out);
  AppendBigEndian32(stream_id, out);
  out->push_back(static_cast<char>(type));
  out->push_back(static_cast<char>(flags));
}

// Appends a whole message. Its length is that of `data`, and the length in `header` is ignored.
inline void AppendMessage(const ttrpc::MessageHeader& header, std::string_view data,
                          std::string* out) {
  AppendHeader(static_cast<uint32_t>(data.size()), header.stream_id,
               static_cast<uint8_t>(header.type), header.flags, out);
  out->append(data);
}

inline std::string Message(const ttrpc::MessageHeader& header, std::string_view data) {
  std::string bytes;
  bytes.reserve(kHeaderLength + data.size());
  AppendMessage(header, data, &bytes);
  return bytes;
}

inline size_t VarintLength(uint64_t value) {
  size_t length = 1;
  for (; value >= 0x80; value >>= 7) ++length;
  return length;
}

inline void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>((value & 0x7f) | 0x80));
  out->push_back(static_cast<char>(value));
}

inline void AppendTag(uint32_t number, uint32_t wire_type, std::string* out) {
  AppendVarint(number << 3 | wire_type, out);
}

inline void AppendVarintField(uint32_t number, uint64_t value, std::string* out) {
  AppendTag(number, kWireVarint, out);
  AppendVarint(value, out);
}

// Appends what precedes the `length` bytes of a field.
inline void AppendBytesTag(uint32_t number, size_t length, std::string* out) {
  AppendTag(number, kWireBytes, out);
  AppendVarint(length, out);
}

inline void AppendBytesField(uint32_t number, std::string_view bytes, std::string* out) {
  AppendBytesTag(number, bytes.size(), out);
  out->append(bytes);
}

inline std::string BytesField(uint32_t number, std::string_view bytes) {
  std::string field;
  AppendBytesField(number, bytes, &field);
  return field;
}

inline std::string VarintField(uint32_t number, uint64_t value) {
  std::string field;
  AppendVarintField(number, value, &field);
  return field;
}

}  // namespace test
