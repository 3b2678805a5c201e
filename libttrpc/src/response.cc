// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/response.h"

#include <google/protobuf/io/coded_stream.h>

#include <cstring>
#include <string>

#include "field_scanner.h"

namespace ttrpc {

namespace {

using google::protobuf::io::CodedOutputStream;

// Field numbers of ttrpc.Response and ttrpc.Status (proto/ttrpc.proto).
enum ResponseField : uint32_t { kStatus = 1, kPayload = 2 };
enum StatusField : uint32_t { kCode = 1, kMessage = 2 };

constexpr uint8_t kStatusTag = kStatus << 3 | static_cast<uint8_t>(WireType::kBytes);
constexpr uint8_t kCodeTag = kCode << 3 | static_cast<uint8_t>(WireType::kVarint);
constexpr uint8_t kMessageTag = kMessage << 3 | static_cast<uint8_t>(WireType::kBytes);

const char* ParseStatus(std::string_view data, ResponseView* response) {
  FieldScanner scanner(data);
  for (Field field; scanner.Next(&field);) {
    if (field.number == kCode && field.wire_type == WireType::kVarint) {
      response->code = static_cast<StatusCode>(static_cast<int32_t>(field.varint));
    } else if (field.number == kMessage && field.wire_type == WireType::kBytes) {
      response->message = field.bytes;
    }
  }
  return scanner.error();
}

size_t StatusSize(const Status& status) {
  size_t size =
      1 + CodedOutputStream::VarintSize32SignExtended(static_cast<int32_t>(status.code()));
  if (!status.message().empty()) {
    size += 1 + CodedOutputStream::VarintSize64(status.message().size()) + status.message().size();
  }
  return size;
}

}  // namespace

Status ParseResponse(std::string_view data, ResponseView* response) {
  *response = {};
  FieldScanner scanner(data);
  const char* error = nullptr;
  for (Field field; error == nullptr && scanner.Next(&field);) {
    if (field.wire_type != WireType::kBytes) continue;
    if (field.number == kStatus) error = ParseStatus(field.bytes, response);
    if (field.number == kPayload) response->payload = field.bytes;
  }
  if (error == nullptr) error = scanner.error();
  if (error == nullptr) return {};
  return {StatusCode::kUnknown, std::string("unmarshal response error: ").append(error)};
}

size_t EncodedResponseSize(const Status& status) {
  if (status.ok()) return 0;
  const size_t status_size = StatusSize(status);
  return 1 + CodedOutputStream::VarintSize64(status_size) + status_size;
}

char* EncodeResponse(const Status& status, char* out) {
  if (status.ok()) return out;
  auto* bytes = reinterpret_cast<uint8_t*>(out);
  *bytes++ = kStatusTag;
  bytes = CodedOutputStream::WriteVarint64ToArray(StatusSize(status), bytes);
  *bytes++ = kCodeTag;
  bytes = CodedOutputStream::WriteVarint32SignExtendedToArray(static_cast<int32_t>(status.code()),
                                                              bytes);
  if (const std::string& message = status.message(); !message.empty()) {
    *bytes++ = kMessageTag;
    bytes = CodedOutputStream::WriteVarint64ToArray(message.size(), bytes);
    std::memcpy(bytes, message.data(), message.size());
    bytes += message.size();
  }
  return reinterpret_cast<char*>(bytes);
}

}  // namespace ttrpc
