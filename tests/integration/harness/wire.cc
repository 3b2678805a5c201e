// SPDX-License-Identifier: Apache-2.0
#include "harness/wire.h"

#include <ostream>

#include "support/wire.h"

namespace integration {

namespace {

// Field numbers of ttrpc.Request, ttrpc.KeyValue, ttrpc.Response and google.rpc.Status.
constexpr uint32_t kService = 1;
constexpr uint32_t kMethod = 2;
constexpr uint32_t kPayload = 3;
constexpr uint32_t kTimeoutNano = 4;
constexpr uint32_t kMetadata = 5;
constexpr uint32_t kKey = 1;
constexpr uint32_t kValue = 2;
constexpr uint32_t kStatus = 1;
constexpr uint32_t kResponsePayload = 2;
constexpr uint32_t kCode = 1;
constexpr uint32_t kMessage = 2;

constexpr size_t kPrintedData = 120;

std::string LittleEndian(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

}  // namespace

void PrintTo(const WireMessage& message, std::ostream* out) {
  *out << "{stream " << message.stream_id << ", type " << int{message.type} << ", flags "
       << int{message.flags} << ", " << message.data.size() << " bytes: \"";
  for (const char c : message.data.substr(0, kPrintedData)) {
    if (c >= ' ' && c <= '~') {
      *out << c;
    } else {
      constexpr char kHex[] = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      *out << "\\x" << kHex[byte >> 4] << kHex[byte & 0xf];
    }
  }
  *out << (message.data.size() > kPrintedData ? "\"…}" : "\"}");
}

std::string EncodeHeader(uint32_t length, uint32_t stream_id, uint8_t type, uint8_t flags) {
  std::string out;
  test::AppendHeader(length, stream_id, type, flags, &out);
  return out;
}

std::string Encode(const WireMessage& message) {
  return EncodeHeader(static_cast<uint32_t>(message.data.size()), message.stream_id, message.type,
                      message.flags) +
         message.data;
}

std::string Encode(const std::vector<WireMessage>& messages) {
  std::string out;
  for (const WireMessage& message : messages) out += Encode(message);
  return out;
}

std::string Varint(uint64_t value) {
  std::string out;
  test::AppendVarint(value, &out);
  return out;
}

std::string PaddedVarint(uint64_t value, size_t length) {
  std::string out;
  for (size_t i = 0; i + 1 < length; ++i, value >>= 7) {
    out += static_cast<char>(0x80 | (value & 0x7f));
  }
  out += static_cast<char>(value & 0x7f);
  return out;
}

std::string Tag(uint32_t number, uint32_t wire_type) {
  std::string out;
  test::AppendTag(number, wire_type, &out);
  return out;
}

std::string VarintField(uint32_t number, uint64_t value) {
  return test::VarintField(number, value);
}

std::string Fixed64Field(uint32_t number, uint64_t value) {
  return Tag(number, test::kWireFixed64) + LittleEndian(value, 8);
}

std::string BytesField(uint32_t number, std::string_view bytes) {
  return test::BytesField(number, bytes);
}

std::string Fixed32Field(uint32_t number, uint32_t value) {
  return Tag(number, test::kWireFixed32) + LittleEndian(value, 4);
}

std::string GroupField(uint32_t number, std::string_view inside) {
  return Tag(number, test::kWireGroupStart) + std::string(inside) +
         Tag(number, test::kWireGroupEnd);
}

std::string MetadataField(std::string_view key, std::string_view value) {
  std::string entry;
  if (!key.empty()) entry += BytesField(kKey, key);
  if (!value.empty()) entry += BytesField(kValue, value);
  return BytesField(kMetadata, entry);
}

std::string EncodeCall(const Call& call) {
  std::string out;
  if (!call.service.empty()) out += BytesField(kService, call.service);
  if (!call.method.empty()) out += BytesField(kMethod, call.method);
  if (!call.payload.empty()) out += BytesField(kPayload, call.payload);
  if (call.timeout_nano != 0) {
    out += VarintField(kTimeoutNano, static_cast<uint64_t>(call.timeout_nano));
  }
  for (const auto& [key, value] : call.metadata) out += MetadataField(key, value);
  return out;
}

WireMessage Request(uint32_t stream_id, const Call& call, uint8_t flags) {
  return RawRequest(stream_id, EncodeCall(call), flags);
}

WireMessage RawRequest(uint32_t stream_id, std::string envelope, uint8_t flags) {
  return {stream_id, kRequest, flags, std::move(envelope)};
}

WireMessage Data(uint32_t stream_id, std::string payload, uint8_t flags) {
  return {stream_id, kData, flags, std::move(payload)};
}

WireMessage CloseStream(uint32_t stream_id) { return Data(stream_id, "", kClosed | kNoData); }

WireMessage Response(uint32_t stream_id, std::string_view payload) {
  return {stream_id, kResponse, 0, payload.empty() ? "" : BytesField(kResponsePayload, payload)};
}

WireMessage StatusResponse(uint32_t stream_id, int32_t code, std::string_view text) {
  const std::string status =
      VarintField(kCode, static_cast<uint64_t>(int64_t{code})) + BytesField(kMessage, text);
  return {stream_id, kResponse, 0, BytesField(kStatus, status)};
}

}  // namespace integration
