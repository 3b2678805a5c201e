// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/response.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/common.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "ttrpc/wire/field_scanner.h"

namespace ttrpc {

namespace {

using google::protobuf::io::CodedOutputStream;

// Field numbers of ttrpc.Response and ttrpc.Status (proto/ttrpc.proto).
enum ResponseField : uint32_t { kStatus = 1, kResponsePayload = 2 };
enum StatusField : uint32_t { kCode = 1, kMessage = 2, kDetails = 3 };
enum AnyField : uint32_t { kTypeUrl = 1, kAnyValue = 2 };

// All field numbers are below 16, so a tag is one byte.
constexpr uint8_t BytesTag(uint32_t number) {
  return static_cast<uint8_t>(number << 3 | static_cast<uint32_t>(WireType::kBytes));
}
constexpr uint8_t kCodeTag = kCode << 3 | static_cast<uint8_t>(WireType::kVarint);

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

StatusDetail ParseDetail(std::string_view data) {
  StatusDetail detail("", "");
  FieldScanner scanner(data);
  for (Field field; scanner.Next(&field);) {
    if (field.wire_type != WireType::kBytes) continue;
    if (field.number == kTypeUrl) detail.type_url = field.bytes;
    if (field.number == kAnyValue) detail.value = field.bytes;
  }
  return detail;
}

size_t BytesFieldSize(size_t size) { return 1 + CodedOutputStream::VarintSize64(size) + size; }

// Like protobuf, leaves out a field that has its default value.
size_t OptionalFieldSize(std::string_view bytes) {
  return bytes.empty() ? 0 : BytesFieldSize(bytes.size());
}

// Handlers make status texts of file names and of what(), which may not be UTF-8. Protobuf parsers
// refuse a response with such a string, and its reader would lose even the code. Calls `take` with
// the parts of the text to write: U+FFFD replaces each byte that belongs to no character.
template <typename Take>
void ForEachUtf8Part(std::string_view text, Take take) {
  static constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  while (!text.empty()) {
    const auto valid = static_cast<size_t>(
        google::protobuf::internal::UTF8SpnStructurallyValid({text.data(), text.size()}));
    take(text.substr(0, valid));
    if (valid == text.size()) return;
    take(kReplacement);
    text.remove_prefix(valid + 1);
  }
}

// Returns the length of the text as WriteText() writes it.
size_t TextLength(std::string_view text) {
  if (IsUtf8(text)) return text.size();
  size_t length = 0;
  ForEachUtf8Part(text, [&length](std::string_view part) { length += part.size(); });
  return length;
}

size_t TextFieldSize(std::string_view text) {
  return text.empty() ? 0 : BytesFieldSize(TextLength(text));
}

size_t DetailSize(const StatusDetail& detail) {
  return TextFieldSize(detail.type_url) + OptionalFieldSize(detail.value);
}

size_t StatusSize(const Status& status) {
  size_t size =
      1 + CodedOutputStream::VarintSize32SignExtended(static_cast<int32_t>(status.code()));
  size += TextFieldSize(status.message());
  for (const StatusDetail& detail : status.details()) size += BytesFieldSize(DetailSize(detail));
  return size;
}

uint8_t* WriteHead(uint32_t number, size_t size, uint8_t* out) {
  *out++ = BytesTag(number);
  return CodedOutputStream::WriteVarint64ToArray(size, out);
}

uint8_t* WriteOptional(uint32_t number, std::string_view bytes, uint8_t* out) {
  if (bytes.empty()) return out;
  out = WriteHead(number, bytes.size(), out);
  std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

uint8_t* WriteText(uint32_t number, std::string_view text, uint8_t* out) {
  if (IsUtf8(text)) return WriteOptional(number, text, out);
  out = WriteHead(number, TextLength(text), out);
  ForEachUtf8Part(text, [&out](std::string_view part) {
    std::memcpy(out, part.data(), part.size());
    out += part.size();
  });
  return out;
}

// Most responses are only a payload of less than 128 bytes: one byte of tag, one of length.
bool IsSmallPayload(std::string_view data) {
  return data.size() >= 2 && data.size() - 2 < 0x80 &&
         static_cast<uint8_t>(data[0]) == BytesTag(kResponsePayload) &&
         static_cast<uint8_t>(data[1]) == data.size() - 2;
}

}  // namespace

Status ParseResponse(std::string_view data, ResponseView* response) {
  *response = {};
  if (IsSmallPayload(data)) {
    response->payload = data.substr(2);
    return {};
  }
  FieldScanner scanner(data);
  const char* error = nullptr;
  for (Field field; error == nullptr && scanner.Next(&field);) {
    if (field.wire_type != WireType::kBytes) continue;
    if (field.number == kStatus) {
      response->status = field.bytes;
      error = ParseStatus(field.bytes, response);
    }
    if (field.number == kResponsePayload) response->payload = field.bytes;
  }
  if (error == nullptr) error = scanner.error();
  if (error == nullptr) return {};
  return {StatusCode::kUnknown, std::string("unmarshal response error: ").append(error)};
}

StatusCode ReadResponse(std::string_view data, std::string_view* payload) {
  ResponseView response;
  const Status parsed = ParseResponse(data, &response);
  *payload = response.payload;
  return parsed.ok() ? response.code : parsed.code();
}

Status StatusOf(const ResponseView& response) {
  if (response.code == StatusCode::kOk) return {};
  std::vector<StatusDetail> details;
  FieldScanner scanner(response.status);
  for (Field field; scanner.Next(&field);) {
    if (field.number != kDetails || field.wire_type != WireType::kBytes) continue;
    if (details.size() == kMaxStatusDetails) break;
    details.push_back(ParseDetail(field.bytes));
  }
  return {response.code, std::string(response.message), std::move(details)};
}

size_t EncodedResponseSize(const Status& status) {
  return status.ok() ? 0 : BytesFieldSize(StatusSize(status));
}

char* EncodeResponse(const Status& status, char* out) {
  if (status.ok()) return out;
  auto* bytes = WriteHead(kStatus, StatusSize(status), reinterpret_cast<uint8_t*>(out));
  *bytes++ = kCodeTag;
  bytes = CodedOutputStream::WriteVarint32SignExtendedToArray(static_cast<int32_t>(status.code()),
                                                              bytes);
  bytes = WriteText(kMessage, status.message(), bytes);
  for (const StatusDetail& detail : status.details()) {
    bytes = WriteHead(kDetails, DetailSize(detail), bytes);
    bytes = WriteText(kTypeUrl, detail.type_url, bytes);
    bytes = WriteOptional(kAnyValue, detail.value, bytes);
  }
  return reinterpret_cast<char*>(bytes);
}

size_t EncodedReplySize(size_t payload_size) {
  return payload_size == 0 ? 0 : BytesFieldSize(payload_size);
}

char* EncodeReplyHead(size_t payload_size, char* out) {
  if (payload_size == 0) return out;
  return reinterpret_cast<char*>(
      WriteHead(kResponsePayload, payload_size, reinterpret_cast<uint8_t*>(out)));
}

}  // namespace ttrpc
