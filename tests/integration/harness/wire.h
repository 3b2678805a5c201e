// SPDX-License-Identifier: Apache-2.0
//
// Messages and envelopes for the integration tests, written with support/wire.h and without
// libttrpc. Values; any thread.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace integration {

inline constexpr uint8_t kRequest = 1;
inline constexpr uint8_t kResponse = 2;
inline constexpr uint8_t kData = 3;

inline constexpr uint8_t kClosed = 0x01;
inline constexpr uint8_t kOpen = 0x02;
inline constexpr uint8_t kNoData = 0x04;

inline constexpr size_t kHeaderLength = 10;

struct WireMessage {
  uint32_t stream_id = 0;
  uint8_t type = 0;
  uint8_t flags = 0;
  std::string data = {};

  friend bool operator==(const WireMessage&, const WireMessage&) = default;
};

// Prints a message for a failure; long data is cut.
void PrintTo(const WireMessage& message, std::ostream* out);

// Encodes a header, whose length may differ from what follows.
std::string EncodeHeader(uint32_t length, uint32_t stream_id, uint8_t type, uint8_t flags);
std::string Encode(const WireMessage& message);
std::string Encode(const std::vector<WireMessage>& messages);

// Fields of a protobuf message, one writer for each wire type.
std::string Varint(uint64_t value);
std::string Tag(uint32_t number, uint32_t wire_type);
std::string VarintField(uint32_t number, uint64_t value);
std::string Fixed64Field(uint32_t number, uint64_t value);
std::string BytesField(uint32_t number, std::string_view bytes);
std::string Fixed32Field(uint32_t number, uint32_t value);
std::string GroupField(uint32_t number, std::string_view inside);
// Encodes `value` in exactly `length` bytes; protobuf allows up to 10.
std::string PaddedVarint(uint64_t value, size_t length);

using Metadata = std::vector<std::pair<std::string, std::string>>;

// The content of a Request. The defaults make a call that the default rules allow and that the
// default backend answers.
struct Call {
  std::string service = "test.Unary";
  std::string method = "Do";
  std::string payload = {};
  int64_t timeout_nano = 0;
  Metadata metadata = {};
};

std::string MetadataField(std::string_view key, std::string_view value);
// Returns the canonical encoding: fields are in order, and defaults are left out.
std::string EncodeCall(const Call& call);

WireMessage Request(uint32_t stream_id, const Call& call, uint8_t flags = 0);
// `envelope` may be any bytes.
WireMessage RawRequest(uint32_t stream_id, std::string envelope, uint8_t flags = 0);
WireMessage Data(uint32_t stream_id, std::string payload, uint8_t flags = 0);
// Returns data that is remote closed and empty, which closes this side of a stream.
WireMessage CloseStream(uint32_t stream_id);
WireMessage Response(uint32_t stream_id, std::string_view payload);
WireMessage StatusResponse(uint32_t stream_id, int32_t code, std::string_view text);

}  // namespace integration
