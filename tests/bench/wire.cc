// SPDX-License-Identifier: Apache-2.0
#include "wire.h"

#include "support/wire.h"
#include "ttrpc/wire/message.h"

namespace bench {
namespace {

using test::AppendBytesField;
using test::AppendBytesTag;
using test::AppendVarintField;
using test::kWireBytes;
using test::kWireVarint;
using test::VarintLength;

constexpr uint64_t kCodeUnimplemented = 12;
constexpr std::string_view kNamespaceKey = "containerd-namespace-ttrpc";

size_t BytesFieldLength(size_t length) { return 1 + VarintLength(length) + length; }

void AppendHeader(std::string& out, const ttrpc::MessageHeader& header) {
  test::AppendHeader(header.length, header.stream_id, static_cast<uint8_t>(header.type),
                     header.flags, &out);
}

bool ParseStatus(std::string_view data, Reply& reply) {
  FieldReader reader(data);
  for (Field field; reader.Next(field);) {
    if (field.number == 1) reply.code = field.varint;
    if (field.number == 2) reply.status_message = field.bytes;
  }
  return reader.ok();
}

}  // namespace

bool FieldReader::ReadVarint(uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool FieldReader::Next(Field& field) {
  if (!ok_ || rest_.empty()) return false;
  field = Field{};
  ok_ = false;
  uint64_t tag = 0;
  if (!ReadVarint(tag)) return false;
  field.number = static_cast<uint32_t>(tag >> 3);
  if (!ReadVarint(field.varint)) return false;
  const uint64_t wire = tag & 7;
  if (wire == kWireBytes) {
    if (field.varint > rest_.size()) return false;
    field.bytes = rest_.substr(0, field.varint);
    rest_.remove_prefix(field.varint);
  } else if (wire != kWireVarint) {
    return false;
  }
  ok_ = true;
  return true;
}

void AppendRequest(std::string& out, uint32_t stream_id, std::string_view method, uint64_t counter,
                   const PayloadPattern& pattern) {
  const size_t length = BytesFieldLength(kService.size()) + BytesFieldLength(method.size()) +
                        BytesFieldLength(pattern.encoded_size());
  AppendHeader(out, {.length = static_cast<uint32_t>(length),
                     .stream_id = stream_id,
                     .type = ttrpc::MessageType::kRequest,
                     .flags = 0});
  AppendBytesField(1, kService, &out);
  AppendBytesField(2, method, &out);
  AppendBytesTag(3, pattern.encoded_size(), &out);
  pattern.AppendTo(out, counter);
}

std::string TaskPrefix(const TaskTarget& target, const PayloadPattern& pattern) {
  std::string prefix;
  AppendBytesField(1, target.id, &prefix);
  AppendBytesTag(2, pattern.encoded_size(), &prefix);
  return prefix;
}

void AppendTaskRequest(std::string& out, const TaskRequest& request,
                       const PayloadPattern& pattern) {
  const size_t payload = request.prefix.size() + pattern.encoded_size();
  const size_t metadata =
      BytesFieldLength(kNamespaceKey.size()) + BytesFieldLength(request.name_space.size());
  const size_t length = BytesFieldLength(kTaskService.size()) +
                        BytesFieldLength(kTaskMethod.size()) + BytesFieldLength(payload) +
                        BytesFieldLength(metadata);
  AppendHeader(out, {.length = static_cast<uint32_t>(length),
                     .stream_id = request.stream_id,
                     .type = ttrpc::MessageType::kRequest,
                     .flags = 0});
  AppendBytesField(1, kTaskService, &out);
  AppendBytesField(2, kTaskMethod, &out);
  AppendBytesTag(3, payload, &out);
  out.append(request.prefix);
  pattern.AppendTo(out, request.counter);
  AppendBytesTag(5, metadata, &out);
  AppendBytesField(1, kNamespaceKey, &out);
  AppendBytesField(2, request.name_space, &out);
}

void AppendReply(std::string& out, uint32_t stream_id, std::string_view payload) {
  AppendHeader(out, {.length = static_cast<uint32_t>(BytesFieldLength(payload.size())),
                     .stream_id = stream_id,
                     .type = ttrpc::MessageType::kResponse,
                     .flags = 0});
  AppendBytesField(2, payload, &out);
}

void AppendStatus(std::string& out, uint32_t stream_id, uint64_t code, std::string_view message) {
  std::string status;
  AppendVarintField(1, code, &status);
  if (!message.empty()) AppendBytesField(2, message, &status);
  AppendHeader(out, {.length = static_cast<uint32_t>(BytesFieldLength(status.size())),
                     .stream_id = stream_id,
                     .type = ttrpc::MessageType::kResponse,
                     .flags = 0});
  AppendBytesField(1, status, &out);
}

void AppendUnimplemented(std::string& out, uint32_t stream_id) {
  AppendStatus(out, stream_id, kCodeUnimplemented, {});
}

void AppendData(std::string& out, uint32_t stream_id, uint8_t flags, std::string_view data) {
  AppendHeader(out, {.length = static_cast<uint32_t>(data.size()),
                     .stream_id = stream_id,
                     .type = ttrpc::MessageType::kData,
                     .flags = flags});
  out.append(data);
}

void AppendRequest(std::string& out, const OutgoingRequest& request) {
  size_t length =
      BytesFieldLength(request.service.size()) + BytesFieldLength(request.method.size());
  if (!request.payload.empty()) length += BytesFieldLength(request.payload.size());
  if (request.timeout_nano != 0) length += 1 + VarintLength(request.timeout_nano);
  AppendHeader(out, {.length = static_cast<uint32_t>(length),
                     .stream_id = request.stream_id,
                     .type = ttrpc::MessageType::kRequest,
                     .flags = request.flags});
  AppendBytesField(1, request.service, &out);
  AppendBytesField(2, request.method, &out);
  if (!request.payload.empty()) AppendBytesField(3, request.payload, &out);
  if (request.timeout_nano != 0) AppendVarintField(4, request.timeout_nano, &out);
}

bool ParseRequest(std::string_view data, Request& request) {
  request = Request{};
  FieldReader reader(data);
  for (Field field; reader.Next(field);) {
    if (field.number == 1) request.service = field.bytes;
    if (field.number == 2) request.method = field.bytes;
    if (field.number == 3) request.payload = field.bytes;
  }
  return reader.ok();
}

bool ParseReply(std::string_view data, Reply& reply) {
  reply = Reply{};
  FieldReader reader(data);
  for (Field field; reader.Next(field);) {
    if (field.number == 1 && !ParseStatus(field.bytes, reply)) return false;
    if (field.number == 2) reply.payload = field.bytes;
  }
  return reader.ok();
}

}  // namespace bench
