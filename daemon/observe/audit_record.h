// SPDX-License-Identifier: Apache-2.0
//
// AuditRecord: one decision with all that is known about it, and its packed form in the queue. An
// output turns it into a line or a journal entry. The functions are pure.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace proxyd {

enum class AuditEvent { kConnect, kRefuse, kCall, kDeny, kDisconnect };

// Returns the event's name in a line or an entry. The view stays valid for the life of the process.
std::string_view EventName(AuditEvent event);

// Why the proxy refused, denied or ended something. The status alone does not show it, since many
// reasons share one.
enum class AuditReason : uint8_t {
  kNone,  // a backend answered, or the peer left by itself
  kNotAdmitted,
  kNoCredentials,
  kTooManyConnections,
  kMalformed,
  kMetadata,
  kNoRule,
  kDenyRule,
  kDraining,
  kLimit,
  kDeadline,
  kBackendUnreachable,
  kBackendLost,
  kBackendOwner,
  kAuditFailing,
  kPayload,
};

// Returns the reason's name, or "" for kNone. The view stays valid for the life of the process.
std::string_view ReasonName(AuditReason reason);

// The views are borrowed for the call that takes the cause.
struct AuditCause {
  AuditReason reason = AuditReason::kNone;
  std::string_view limit = {};   // the key of the limit that was reached
  std::string_view detail = {};  // a sentence
};

// The label of a process that has ended, or that we may not see.
inline constexpr uint32_t kNoLoginUid = static_cast<uint32_t>(-1);

// The views are borrowed for the call that takes the record. Empty and absent fields are not
// written.
struct AuditRecord {
  AuditEvent event = AuditEvent::kConnect;
  std::string_view listener;
  pid_t pid = 0;
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  std::string_view service;
  std::string_view method;
  std::string_view kind;  // "unary" or "stream"
  std::string_view rule;
  std::optional<bool> enforced;
  std::string_view backend;
  std::optional<ttrpc::StatusCode> code;
  std::optional<std::chrono::microseconds> duration;
  std::optional<uint64_t> request_bytes;
  std::optional<uint64_t> response_bytes;
  std::string_view traceparent;
  std::optional<uint64_t> suppressed;  // the number of suppressed records it stands for
  uint64_t peer = 0;                   // 0 if the connection was refused
  uint32_t stream_id = 0;              // on the peer's side; 0 if the record is about no call
  std::string_view user;               // the name of `uid`; filled in off the loop
  std::string_view comm;               // chosen by the process itself
  uint32_t loginuid = kNoLoginUid;
  AuditReason reason = AuditReason::kNone;
  std::string_view limit;
  std::string_view detail;
  std::string_view workload;  // NAMESPACE/ID of the workload that the call names
  std::string_view pod;       // NAMESPACE/NAME of the workload's pod
  // True if a backend got the call, or the admin service carried it out. Such a record is never
  // suppressed. This member is not written.
  bool carried_out = false;

  void SetCause(const AuditCause& cause) {
    reason = cause.reason;
    limit = cause.limit;
    detail = cause.detail;
  }
};

// A longer value is cut to this many bytes and ends in "…". The longest valid service and method
// have 256 bytes.
inline constexpr size_t kAuditValueLimit = 256;

// Appends the time and all fields that will be written. The packed form is about as long as the
// line whose length is charged.
void PackAuditRecord(const AuditRecord& record, std::chrono::system_clock::time_point time,
                     std::string* out);

struct UnpackedRecord {
  AuditRecord record;  // views into the packed record
  std::chrono::system_clock::time_point time;
};
// Removes the first record from `records`, which must not be empty, and returns it.
UnpackedRecord UnpackAuditRecord(std::string_view* records);

// Returns the number of records.
size_t CountAuditRecords(std::string_view records);
// Returns the size of the first `count` records, in bytes. There must be as many.
size_t SizeOfAuditRecords(std::string_view records, size_t count);

// Calls `fields` with the key and the value of each field that is written, in the contract's order.
// Its functions are Text(), whose string may hold anything, Number() and Flag().
template <typename Fields>
void VisitAuditFields(const AuditRecord& record, Fields& fields) {
  const auto text = [&fields](std::string_view key, std::string_view value) {
    if (!value.empty()) fields.Text(key, value);
  };
  const auto number = [&fields](std::string_view key, const std::optional<uint64_t>& value) {
    if (value) fields.Number(key, *value);
  };
  text("event", EventName(record.event));
  text("listener", record.listener);
  if (record.pid > 0) fields.Number("pid", static_cast<uint64_t>(record.pid));
  if (record.uid != static_cast<uid_t>(-1)) fields.Number("uid", record.uid);
  if (record.gid != static_cast<gid_t>(-1)) fields.Number("gid", record.gid);
  text("service", record.service);
  text("method", record.method);
  text("kind", record.kind);
  text("rule", record.rule);
  if (record.enforced) fields.Flag("enforced", *record.enforced);
  text("backend", record.backend);
  if (record.code) text("code", ttrpc::StatusCodeName(*record.code));
  if (record.duration) {
    // A clock that went back must not appear as half a million years.
    const int64_t microseconds = record.duration->count();
    fields.Number("duration_us", microseconds > 0 ? static_cast<uint64_t>(microseconds) : 0);
  }
  number("request_bytes", record.request_bytes);
  number("response_bytes", record.response_bytes);
  text("traceparent", record.traceparent);
  number("suppressed", record.suppressed);
  if (record.peer != 0) fields.Number("peer", record.peer);
  if (record.stream_id != 0) fields.Number("stream", record.stream_id);
  text("user", record.user);
  text("comm", record.comm);
  if (record.loginuid != kNoLoginUid) fields.Number("loginuid", record.loginuid);
  text("reason", ReasonName(record.reason));
  text("limit", record.limit);
  text("detail", record.detail);
  text("workload", record.workload);
  text("pod", record.pod);
}

}  // namespace proxyd
