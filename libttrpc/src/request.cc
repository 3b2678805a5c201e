// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/request.h"

#include <google/protobuf/io/coded_stream.h>

#include <cstring>
#include <string>
#include <utility>

#include "ttrpc/wire/field_scanner.h"

namespace ttrpc {

namespace {

using google::protobuf::io::CodedOutputStream;

// Field numbers of ttrpc.Request and ttrpc.KeyValue (proto/ttrpc.proto).
enum RequestField : uint32_t {
  kService = 1,
  kMethod = 2,
  kPayload = 3,
  kTimeoutNano = 4,
  kMetadata = 5
};
enum EntryField : uint32_t { kKey = 1, kValue = 2 };

// All field numbers are below 16, so a tag is one byte.
constexpr uint8_t Tag(uint32_t number, WireType type) {
  return static_cast<uint8_t>(number << 3 | static_cast<uint32_t>(type));
}

// An error text, which never quotes the data; null if nothing is wrong. A plain pointer, because
// scanning makes a Status only if it fails.
using Error = const char*;
constexpr Error kUnknownField = "unknown field ";  // its number follows
constexpr Error kTooManyEntries = "too many metadata entries, expected at most 1024";
static_assert(kMaxMetadataEntries == 1024);

// Marks field `number` as seen. Returns false if it was seen before.
bool FirstTime(uint32_t number, uint32_t* seen) {
  const uint32_t bit = 1U << number;
  const bool first = (*seen & bit) == 0;
  *seen |= bit;
  return first;
}

// The error texts for a string or bytes field.
struct BytesField {
  Error wrong_type;
  Error repeated;
  Error not_utf8;  // null: any bytes are allowed
};

constexpr BytesField kServiceField = {"service has the wrong wire type", "service repeated",
                                      "service is not valid UTF-8"};
constexpr BytesField kMethodField = {"method has the wrong wire type", "method repeated",
                                     "method is not valid UTF-8"};
constexpr BytesField kPayloadField = {"payload has the wrong wire type", "payload repeated",
                                      nullptr};
constexpr BytesField kKeyField = {"metadata key has the wrong wire type", "metadata key repeated",
                                  "metadata key is not valid UTF-8"};
constexpr BytesField kValueField = {"metadata value has the wrong wire type",
                                    "metadata value repeated", "metadata value is not valid UTF-8"};

Error TakeBytes(const BytesField& what, const Field& field, uint32_t* seen, std::string_view* out) {
  if (field.wire_type != WireType::kBytes) return what.wrong_type;
  if (!FirstTime(field.number, seen)) return what.repeated;
  if (what.not_utf8 != nullptr && !IsUtf8(field.bytes)) return what.not_utf8;
  *out = field.bytes;
  return nullptr;
}

Error TakeTimeout(const Field& field, uint32_t* seen, int64_t* out) {
  if (field.wire_type != WireType::kVarint) return "timeout_nano has the wrong wire type";
  if (!FirstTime(field.number, seen)) return "timeout_nano repeated";
  *out = static_cast<int64_t>(field.varint);
  return nullptr;
}

// The state of a scan that an error message needs.
struct Scan {
  UnknownFieldAction unknown_fields;
  uint32_t unknown_number = 0;
  bool in_entry = false;  // the bytes of an entry are not a protobuf message
};

Error TakeUnknown(const Field& field, Scan* scan) {
  if (scan->unknown_fields == UnknownFieldAction::kDrop) return nullptr;
  scan->unknown_number = field.number;
  return kUnknownField;
}

Error TakeEntry(const Field& entry_field, Scan* scan, MetadataEntry* entry) {
  if (entry_field.wire_type != WireType::kBytes) return "metadata has the wrong wire type";
  FieldScanner scanner(entry_field.bytes);
  uint32_t seen = 0;
  for (Field field; scanner.Next(&field);) {
    Error error = nullptr;
    switch (field.number) {
      case kKey:
        error = TakeBytes(kKeyField, field, &seen, &entry->key);
        break;
      case kValue:
        error = TakeBytes(kValueField, field, &seen, &entry->value);
        break;
      default:
        error = TakeUnknown(field, scan);
    }
    if (error != nullptr) return error;
  }
  scan->in_entry = scanner.error() != nullptr;
  return scanner.error();
}

Error TakeField(const Field& field, Scan* scan, uint32_t* seen, RequestView* request) {
  switch (field.number) {
    case kService:
      return TakeBytes(kServiceField, field, seen, &request->service);
    case kMethod:
      return TakeBytes(kMethodField, field, seen, &request->method);
    case kPayload:
      return TakeBytes(kPayloadField, field, seen, &request->payload);
    case kTimeoutNano:
      return TakeTimeout(field, seen, &request->timeout_nano);
    case kMetadata:
      if (request->metadata.size() == kMaxMetadataEntries) return kTooManyEntries;
      return TakeEntry(field, scan, &request->metadata.emplace_back());
    default:
      return TakeUnknown(field, scan);
  }
}

Status Malformed(Error error, const Scan& scan) {
  std::string message = "unmarshal request error: ";
  if (scan.in_entry) message.append("metadata: ");
  message.append(error);
  if (error == kUnknownField) message.append(std::to_string(scan.unknown_number));
  return {StatusCode::kInvalidArgument, std::move(message)};
}

size_t BytesFieldSize(std::string_view bytes) {
  if (bytes.empty()) return 0;
  return 1 + CodedOutputStream::VarintSize64(bytes.size()) + bytes.size();
}

size_t EntrySize(const MetadataEntry& entry) {
  return BytesFieldSize(entry.key) + BytesFieldSize(entry.value);
}

uint8_t* WriteBytesField(uint32_t number, std::string_view bytes, uint8_t* out) {
  if (bytes.empty()) return out;
  *out++ = Tag(number, WireType::kBytes);
  out = CodedOutputStream::WriteVarint64ToArray(bytes.size(), out);
  std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

}  // namespace

void RequestView::Clear() {
  service = method = payload = {};
  timeout_nano = 0;
  metadata.clear();
}

Status ParseRequest(std::string_view data, UnknownFieldAction unknown_fields,
                    RequestView* request) {
  request->Clear();
  FieldScanner scanner(data);
  Scan scan = {.unknown_fields = unknown_fields};
  uint32_t seen = 0;
  for (Field field; scanner.Next(&field);) {
    if (const Error error = TakeField(field, &scan, &seen, request); error != nullptr)
      return Malformed(error, scan);
  }
  return scanner.error() != nullptr ? Malformed(scanner.error(), scan) : Status();
}

size_t EncodedRequestSize(const RequestView& request) {
  size_t size = BytesFieldSize(request.service) + BytesFieldSize(request.method) +
                BytesFieldSize(request.payload);
  if (request.timeout_nano != 0) {
    size += 1 + CodedOutputStream::VarintSize64(static_cast<uint64_t>(request.timeout_nano));
  }
  for (const MetadataEntry& entry : request.metadata) {
    const size_t entry_size = EntrySize(entry);
    size += 1 + CodedOutputStream::VarintSize64(entry_size) + entry_size;
  }
  return size;
}

char* EncodeRequest(const RequestView& request, char* out) {
  auto* bytes = reinterpret_cast<uint8_t*>(out);
  bytes = WriteBytesField(kService, request.service, bytes);
  bytes = WriteBytesField(kMethod, request.method, bytes);
  bytes = WriteBytesField(kPayload, request.payload, bytes);
  if (request.timeout_nano != 0) {
    *bytes++ = Tag(kTimeoutNano, WireType::kVarint);
    bytes =
        CodedOutputStream::WriteVarint64ToArray(static_cast<uint64_t>(request.timeout_nano), bytes);
  }
  for (const MetadataEntry& entry : request.metadata) {
    *bytes++ = Tag(kMetadata, WireType::kBytes);
    bytes = CodedOutputStream::WriteVarint64ToArray(EntrySize(entry), bytes);
    bytes = WriteBytesField(kKey, entry.key, bytes);
    bytes = WriteBytesField(kValue, entry.value, bytes);
  }
  return reinterpret_cast<char*>(bytes);
}

}  // namespace ttrpc
