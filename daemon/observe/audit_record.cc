// SPDX-License-Identifier: Apache-2.0
#include "observe/audit_record.h"

#include <algorithm>
#include <array>
#include <bit>
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

std::string_view ReasonName(AuditReason reason) {
  switch (reason) {
    case AuditReason::kNone:
      return "";
    case AuditReason::kNotAdmitted:
      return "not_admitted";
    case AuditReason::kNoCredentials:
      return "no_credentials";
    case AuditReason::kTooManyConnections:
      return "too_many_connections";
    case AuditReason::kMalformed:
      return "malformed";
    case AuditReason::kMetadata:
      return "metadata";
    case AuditReason::kNoRule:
      return "no_rule";
    case AuditReason::kDenyRule:
      return "deny_rule";
    case AuditReason::kDraining:
      return "draining";
    case AuditReason::kLimit:
      return "limit";
    case AuditReason::kDeadline:
      return "deadline";
    case AuditReason::kBackendUnreachable:
      return "backend_unreachable";
    case AuditReason::kBackendLost:
      return "backend_lost";
    case AuditReason::kBackendOwner:
      return "backend_owner";
    case AuditReason::kAuditFailing:
      return "audit_failing";
    case AuditReason::kPayload:
      return "payload";
  }
  return "";
}

namespace {

using SystemTime = std::chrono::system_clock::time_point;

// One byte beyond the limit shows that the value was longer. The rest completes a character that
// would otherwise be cut in two.
constexpr size_t kPackedValue = kAuditValueLimit + 4;

constexpr std::array kTexts = {
    &AuditRecord::listener,    &AuditRecord::service, &AuditRecord::method,
    &AuditRecord::kind,        &AuditRecord::rule,    &AuditRecord::backend,
    &AuditRecord::traceparent, &AuditRecord::user,    &AuditRecord::comm,
    &AuditRecord::limit,       &AuditRecord::detail,  &AuditRecord::workload,
    &AuditRecord::pod};

// Bits of Packed::has. From kHasCode on, each bit stands for a number after the head, in this
// order. Most records have few of these numbers.
constexpr unsigned kHasEnforced = 0x01;
constexpr unsigned kIsEnforced = 0x02;
constexpr unsigned kHasCode = 0x04;
constexpr unsigned kHasDuration = 0x08;
constexpr unsigned kHasRequestBytes = 0x10;
constexpr unsigned kHasResponseBytes = 0x20;
constexpr unsigned kHasSuppressed = 0x40;
constexpr unsigned kHasPeer = 0x80;
constexpr unsigned kHasStream = 0x100;
constexpr unsigned kHasLoginUid = 0x200;
constexpr unsigned kNumbers = 0x3fc;

// The head of a packed record. Its numbers follow, and then its texts.
struct Packed {
  SystemTime::rep time;
  pid_t pid;
  uid_t uid;
  gid_t gid;
  uint16_t has;
  std::array<uint16_t, kTexts.size()> lengths;
  uint8_t event;
  uint8_t reason;
  std::array<uint8_t, 6> unused;
};
static_assert(std::is_trivially_copyable_v<Packed> && sizeof(Packed) == 56);

unsigned PresenceOf(const AuditRecord& record) {
  unsigned has = 0;
  if (record.enforced) has |= kHasEnforced;
  if (record.enforced.value_or(false)) has |= kIsEnforced;
  if (record.code) has |= kHasCode;
  if (record.duration) has |= kHasDuration;
  if (record.request_bytes) has |= kHasRequestBytes;
  if (record.response_bytes) has |= kHasResponseBytes;
  if (record.suppressed) has |= kHasSuppressed;
  if (record.peer != 0) has |= kHasPeer;
  if (record.stream_id != 0) has |= kHasStream;
  if (record.loginuid != kNoLoginUid) has |= kHasLoginUid;
  return has;
}

// Appends the numbers that a record has.
class NumberPacker {
 public:
  NumberPacker(unsigned has, std::string* out) : has_(has), out_(out) {}

  template <typename Number>
  void Add(unsigned bit, Number number) {
    if ((has_ & bit) == 0) return;
    const auto value = static_cast<uint64_t>(number);
    out_->append(reinterpret_cast<const char*>(&value), sizeof value);
  }

 private:
  const unsigned has_;
  std::string* const out_;
};

// Takes the numbers off the front again.
class NumberUnpacker {
 public:
  NumberUnpacker(unsigned has, std::string_view* in) : has_(has), in_(in) {}

  std::optional<uint64_t> Take(unsigned bit) {
    if ((has_ & bit) == 0) return std::nullopt;
    uint64_t value = 0;
    std::memcpy(&value, in_->data(), sizeof value);
    in_->remove_prefix(sizeof value);
    return value;
  }

 private:
  const unsigned has_;
  std::string_view* const in_;
};

Packed HeadOf(std::string_view records) {
  Packed head;
  std::memcpy(&head, records.data(), sizeof head);
  return head;
}

size_t SizeOf(const Packed& head) {
  size_t size = sizeof head;
  size += sizeof(uint64_t) * static_cast<size_t>(std::popcount(head.has & kNumbers));
  for (const uint16_t length : head.lengths) size += length;
  return size;
}

}  // namespace

void PackAuditRecord(const AuditRecord& record, SystemTime time, std::string* out) {
  const unsigned has = PresenceOf(record);
  Packed head = {.time = time.time_since_epoch().count(),
                 .pid = record.pid,
                 .uid = record.uid,
                 .gid = record.gid,
                 .has = static_cast<uint16_t>(has),
                 .lengths = {},
                 .event = static_cast<uint8_t>(record.event),
                 .reason = static_cast<uint8_t>(record.reason),
                 .unused = {}};
  for (size_t i = 0; i < kTexts.size(); ++i)
    head.lengths[i] = static_cast<uint16_t>(std::min((record.*kTexts[i]).size(), kPackedValue));
  out->append(reinterpret_cast<const char*>(&head), sizeof head);
  NumberPacker numbers(has, out);
  numbers.Add(kHasCode, record.code.value_or(ttrpc::StatusCode::kOk));
  numbers.Add(kHasDuration, record.duration.value_or(std::chrono::microseconds(0)).count());
  numbers.Add(kHasRequestBytes, record.request_bytes.value_or(0));
  numbers.Add(kHasResponseBytes, record.response_bytes.value_or(0));
  numbers.Add(kHasSuppressed, record.suppressed.value_or(0));
  numbers.Add(kHasPeer, record.peer);
  numbers.Add(kHasStream, record.stream_id);
  numbers.Add(kHasLoginUid, record.loginuid);
  for (size_t i = 0; i < kTexts.size(); ++i)
    out->append((record.*kTexts[i]).substr(0, head.lengths[i]));
}

UnpackedRecord UnpackAuditRecord(std::string_view* records) {
  const Packed head = HeadOf(*records);
  UnpackedRecord unpacked = {.record = {}, .time = SystemTime(SystemTime::duration(head.time))};
  AuditRecord& record = unpacked.record;
  record.event = static_cast<AuditEvent>(head.event);
  record.reason = static_cast<AuditReason>(head.reason);
  record.pid = head.pid;
  record.uid = head.uid;
  record.gid = head.gid;
  if ((head.has & kHasEnforced) != 0) record.enforced = (head.has & kIsEnforced) != 0;
  records->remove_prefix(sizeof head);
  NumberUnpacker numbers(head.has, records);
  if (const auto code = numbers.Take(kHasCode))
    record.code = static_cast<ttrpc::StatusCode>(static_cast<int32_t>(*code));
  if (const auto duration = numbers.Take(kHasDuration))
    record.duration = std::chrono::microseconds(static_cast<int64_t>(*duration));
  record.request_bytes = numbers.Take(kHasRequestBytes);
  record.response_bytes = numbers.Take(kHasResponseBytes);
  record.suppressed = numbers.Take(kHasSuppressed);
  record.peer = numbers.Take(kHasPeer).value_or(0);
  record.stream_id = static_cast<uint32_t>(numbers.Take(kHasStream).value_or(0));
  record.loginuid = static_cast<uint32_t>(numbers.Take(kHasLoginUid).value_or(kNoLoginUid));
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
