// SPDX-License-Identifier: Apache-2.0
#include "observe/audit_record.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

namespace proxyd {

std::string_view EventName(AuditEvent event) {
  switch (event) {
    case AuditEvent::kConnect:
      return "connect";
    case AuditEvent::kRefuse:
      return "refuse";
    case AuditEvent::kCall:
      return "call";
    case AuditEvent::kDeny:
      return "deny";
    case AuditEvent::kDisconnect:
      return "disconnect";
  }
  return "unknown";
}

namespace {

using SystemTime = std::chrono::system_clock::time_point;

// A byte more than what is shown of a value tells that there was more, and a character that would
// be cut in two is left whole.
constexpr size_t kPackedValue = kAuditValueLimit + 4;

constexpr std::array kTexts = {
    &AuditRecord::listener, &AuditRecord::service, &AuditRecord::method,     &AuditRecord::kind,
    &AuditRecord::rule,     &AuditRecord::backend, &AuditRecord::traceparent};

// Which of the optional fields are there.
constexpr uint8_t kHasEnforced = 0x01;
constexpr uint8_t kIsEnforced = 0x02;
constexpr uint8_t kHasCode = 0x04;
constexpr uint8_t kHasDuration = 0x08;
constexpr uint8_t kHasRequestBytes = 0x10;
constexpr uint8_t kHasResponseBytes = 0x20;
constexpr uint8_t kHasSuppressed = 0x40;

// A packed record begins with this; its texts follow.
struct Packed {
  SystemTime::rep time;
  int64_t duration;
  uint64_t request_bytes;
  uint64_t response_bytes;
  uint64_t suppressed;
  pid_t pid;
  uid_t uid;
  gid_t gid;
  int32_t code;
  std::array<uint16_t, kTexts.size()> lengths;
  uint8_t event;
  uint8_t has;
};
static_assert(std::is_trivially_copyable_v<Packed> && sizeof(Packed) == 72);

uint8_t PresenceOf(const AuditRecord& record) {
  unsigned has = 0;
  if (record.enforced) has |= kHasEnforced;
  if (record.enforced.value_or(false)) has |= kIsEnforced;
  if (record.code) has |= kHasCode;
  if (record.duration) has |= kHasDuration;
  if (record.request_bytes) has |= kHasRequestBytes;
  if (record.response_bytes) has |= kHasResponseBytes;
  if (record.suppressed) has |= kHasSuppressed;
  return static_cast<uint8_t>(has);
}

Packed HeadOf(std::string_view records) {
  Packed head;
  std::memcpy(&head, records.data(), sizeof head);
  return head;
}

size_t SizeOf(const Packed& head) {
  size_t size = sizeof head;
  for (const uint16_t length : head.lengths) size += length;
  return size;
}

}  // namespace

void PackAuditRecord(const AuditRecord& record, SystemTime time, std::string* out) {
  Packed head = {.time = time.time_since_epoch().count(),
                 .duration = record.duration.value_or(std::chrono::microseconds(0)).count(),
                 .request_bytes = record.request_bytes.value_or(0),
                 .response_bytes = record.response_bytes.value_or(0),
                 .suppressed = record.suppressed.value_or(0),
                 .pid = record.pid,
                 .uid = record.uid,
                 .gid = record.gid,
                 .code = static_cast<int32_t>(record.code.value_or(ttrpc::StatusCode::kOk)),
                 .lengths = {},
                 .event = static_cast<uint8_t>(record.event),
                 .has = PresenceOf(record)};
  for (size_t i = 0; i < kTexts.size(); ++i)
    head.lengths[i] = static_cast<uint16_t>(std::min((record.*kTexts[i]).size(), kPackedValue));
  out->append(reinterpret_cast<const char*>(&head), sizeof head);
  for (size_t i = 0; i < kTexts.size(); ++i)
    out->append((record.*kTexts[i]).substr(0, head.lengths[i]));
}

UnpackedRecord UnpackAuditRecord(std::string_view* records) {
  const Packed head = HeadOf(*records);
  UnpackedRecord unpacked = {.record = {}, .time = SystemTime(SystemTime::duration(head.time))};
  AuditRecord& record = unpacked.record;
  record.event = static_cast<AuditEvent>(head.event);
  record.pid = head.pid;
  record.uid = head.uid;
  record.gid = head.gid;
  if ((head.has & kHasEnforced) != 0) record.enforced = (head.has & kIsEnforced) != 0;
  if ((head.has & kHasCode) != 0) record.code = static_cast<ttrpc::StatusCode>(head.code);
  if ((head.has & kHasDuration) != 0) record.duration = std::chrono::microseconds(head.duration);
  if ((head.has & kHasRequestBytes) != 0) record.request_bytes = head.request_bytes;
  if ((head.has & kHasResponseBytes) != 0) record.response_bytes = head.response_bytes;
  if ((head.has & kHasSuppressed) != 0) record.suppressed = head.suppressed;
  records->remove_prefix(sizeof head);
  for (size_t i = 0; i < kTexts.size(); ++i) {
    record.*kTexts[i] = records->substr(0, head.lengths[i]);
    records->remove_prefix(head.lengths[i]);
  }
  return unpacked;
}

size_t CountAuditRecords(std::string_view records) {
  size_t count = 0;
  for (; !records.empty(); ++count) records.remove_prefix(SizeOf(HeadOf(records)));
  return count;
}

size_t SizeOfAuditRecords(std::string_view records, size_t count) {
  size_t size = 0;
  for (; count > 0; --count) size += SizeOf(HeadOf(records.substr(size)));
  return size;
}

}  // namespace proxyd
