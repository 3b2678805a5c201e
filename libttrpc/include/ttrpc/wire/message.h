// SPDX-License-Identifier: Apache-2.0
//
// The ttrpc message: a header of 10 bytes, then data. Values without I/O; any thread.
//
// This header is for programs that read and write messages themselves, such as proxies. It may
// change in any release.
//
//   0        4            8      9       10
//   | length | stream id  | type | flags | data …      numbers are big-endian
//
// The first byte of the length is reserved and zero, so that a length is at most kMaxMessageSize.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ttrpc/message_size.h"

namespace ttrpc {

inline constexpr size_t kMessageHeaderLength = 10;

// A peer may send other values.
enum class MessageType : uint8_t { kRequest = 1, kResponse = 2, kData = 3 };

// The sender sends nothing more on this stream.
inline constexpr uint8_t kFlagRemoteClosed = 0x01;
// On a request: data from the sender follows.
inline constexpr uint8_t kFlagRemoteOpen = 0x02;
// The message has no payload, which differs from an empty payload.
inline constexpr uint8_t kFlagNoData = 0x04;

struct MessageHeader {
  uint32_t length = 0;  // bytes of data
  uint32_t stream_id = 0;
  MessageType type = MessageType::kRequest;
  uint8_t flags = 0;

  friend bool operator==(const MessageHeader&, const MessageHeader&) = default;
};

// Reads kMessageHeaderLength bytes at `bytes`. Cannot fail: the length exceeds kMaxMessageSize if
// the reserved byte is not zero, which MessageDecoder refuses.
inline MessageHeader DecodeMessageHeader(const char* bytes) {
  const auto u8 = [bytes](size_t i) {
    return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i]));
  };
  return {.length = u8(0) << 24 | u8(1) << 16 | u8(2) << 8 | u8(3),
          .stream_id = u8(4) << 24 | u8(5) << 16 | u8(6) << 8 | u8(7),
          .type = static_cast<MessageType>(u8(8)),
          .flags = static_cast<uint8_t>(u8(9))};
}

// Writes kMessageHeaderLength bytes at `bytes`.
inline void EncodeMessageHeader(const MessageHeader& header, char* bytes) {
  // Unrolled, because compilers turn this form into one store.
  const auto put = [](uint32_t value, char* out) {
    out[0] = static_cast<char>(value >> 24);
    out[1] = static_cast<char>(value >> 16);
    out[2] = static_cast<char>(value >> 8);
    out[3] = static_cast<char>(value);
  };
  put(header.length, bytes);
  put(header.stream_id, bytes + 4);
  bytes[8] = static_cast<char>(header.type);
  bytes[9] = static_cast<char>(header.flags);
}

}  // namespace ttrpc
