// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/request.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/common.h>

#include <cstring>
#include <string>

#include "field_scanner.h"

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

// All our fields have numbers below 16: one byte of tag.
constexpr uint8_t Tag(uint32_t number, WireType type) {
  return static_cast<uint8_t>(number << 3 | static_cast<uint32_t>(type));
}

Status Malformed(std::string_view what) {
  return {StatusCode::kInvalidArgument, std::string("unmarshal request error: ").append(what)};
}

Status MalformedField(std::string_view name, std::string_view what) {
  return Malformed(std::string(name).append(" ").append(what));
}

bool IsUtf8(std::string_view text) {
  return google::protobuf::internal::IsStructurallyValidUTF8(text.data(),
                                                             static_cast<int>(text.size()));
}

// Marks field `number` as seen; false if it was.
bool FirstTime(uint32_t number, uint32_t* seen) {
  const uint32_t bit = 1U << number;
  const bool first = (*seen & bit) == 0;
  *seen |= bit;
  return first;
}

struct BytesField {
  std::string_view name;
  bool text;  // must be UTF-8
};

Status TakeBytes(const BytesField& what, const Field& field, uint32_t* seen,
                 std::string_view* out) {
  if (field.wire_type != WireType::kBytes)
    return MalformedField(what.name, "has the wrong wire type");
  if (!FirstTime(field.number, seen)) return MalformedField(what.name, "repeated");
  if (what.text && !IsUtf8(field.bytes)) return MalformedField(what.name, "is not valid UTF-8");
  *out = field.bytes;
  return {};
}

Status TakeTimeout(const Field& field, uint32_t* seen, int64_t* out) {
  if (field.wire_type != WireType::kVarint)
    return MalformedField("timeout_nano", "has the wrong wire type");
  if (!FirstTime(field.number, seen)) return MalformedField("timeout_nano", "repeated");
  *out = static_cast<int64_t>(field.varint);
  return {};
}

Status UnknownField(UnknownFieldAction action, const Field& field) {
  if (action == UnknownFieldAction::kDrop) return {};
  return Malformed("unknown field " + std::to_string(field.number));
}

Status ParseEntry(const Field& entry_field, UnknownFieldAction unknown_fields,
                  MetadataEntry* entry) {
  if (entry_field.wire_type != WireType::kBytes)
    return MalformedField("metadata", "has the wrong wire type");
  FieldScanner scanner(entry_field.bytes);
  uint32_t seen = 0;
  for (Field field; scanner.Next(&field);) {
    Status status;
    switch (field.number) {
      case kKey:
        status = TakeBytes({.name = "metadata key", .text = true}, field, &seen, &entry->key);
        break;
      case kValue:
        status = TakeBytes({.name = "metadata value", .text = true}, field, &seen, &entry->value);
        break;
      default:
        status = UnknownField(unknown_fields, field);
    }
    if (!status.ok()) return status;
  }
  return scanner.error() != nullptr ? MalformedField("metadata:", scanner.error()) : Status();
}

Status TakeField(const Field& field, UnknownFieldAction unknown_fields, uint32_t* seen,
                 RequestView* request) {
  switch (field.number) {
    case kService:
      return TakeBytes({.name = "service", .text = true}, field, seen, &request->service);
    case kMethod:
      return TakeBytes({.name = "method", .text = true}, field, seen, &request->method);
    case kPayload:
      return TakeBytes({.name = "payload", .text = false}, field, seen, &request->payload);
    case kTimeoutNano:
      return TakeTimeout(field, seen, &request->timeout_nano);
    case kMetadata:
      if (request->metadata.size() == kMaxMetadataEntries) {
        return Malformed("more than " + std::to_string(kMaxMetadataEntries) + " metadata entries");
      }
      return ParseEntry(field, unknown_fields, &request->metadata.emplace_back());
    default:
      return UnknownField(unknown_fields, field);
  }
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
  uint32_t seen = 0;
  for (Field field; scanner.Next(&field);) {
    if (Status status = TakeField(field, unknown_fields, &seen, request); !status.ok())
      return status;
  }
  return scanner.error() != nullptr ? Malformed(scanner.error()) : Status();
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
